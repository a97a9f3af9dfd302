//! Names for offsets of an image, so that the ends of partitions can be told by what lies there: where that
//! lies differs between images, and what it is does not.

/// Offsets and their names.
#[derive(Default)]
pub(crate) struct Anchors(Vec<(u64, String)>);

impl Anchors {
    /// `size`: bytes of the image.
    pub(crate) fn new(size: u64) -> Anchors {
        let mut anchors = Anchors::default();
        anchors.add(size, "the end".to_owned());
        anchors
    }

    pub(crate) fn add(&mut self, offset: u64, name: String) {
        self.0.push((offset, name));
    }

    /// The offset, from the last name at or before it on; of several names there, the first that was added.
    pub(crate) fn text(&self, offset: u64) -> String {
        let before = self.0.iter().filter(|(at, _)| *at <= offset);
        let nearest = before.rev().max_by_key(|(at, _)| *at);
        match nearest {
            Some((at, name)) if *at == offset => name.clone(),
            Some((at, name)) => format!("{name} + {}", offset - at),
            None => offset.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_told_by_the_last_name_before_it() {
        let mut anchors = Anchors::new(900);
        anchors.add(100, "x".to_owned());
        anchors.add(100, "y".to_owned());
        let told = [5, 100, 112, 900].map(|offset| anchors.text(offset));
        assert_eq!(told, ["5", "x", "x + 12", "the end"]);
    }
}
