//! Contents with several names, as hard links and shared extents have: each is judged under every name, since a
//! change that is harmless in one file is none in another.

use super::spot::{Broken, Of as _, Spot};
use crate::difference::{Difference, DifferenceKind, Side};
use diskimage::{Content, printable};
use std::collections::HashMap;

/// Most further names under which a content is judged: an image may have millions of names for one.
const MOST: usize = 8;

/// Contents that were compared, by their offsets in the two images.
#[derive(Default)]
pub(super) struct Places(HashMap<[u64; 2], Compared>);

struct Compared {
    /// Bytes from there on that were compared.
    lens: [u64; 2],
    names: ContentNames,
}

/// The names under which a content was judged.
pub(super) struct ContentNames {
    /// Paths in their trees. A part of a container has none.
    judged: Vec<Vec<u8>>,
    /// Lengths of the contents that were looked at under another name, and whether they differ.
    differs: Option<([u64; 2], bool)>,
    /// How often it was looked at, or judged, under another name than the first.
    further: usize,
}

/// The work that remains for another name of a content that was compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextName {
    /// Nothing: the contents are equal, or were judged under a name like this in another table of the image.
    Equal,
    /// They differ, and are to be judged under this name, too.
    Differs,
    /// They were judged under so many names that no further one is looked at.
    TooMany,
}

impl Places {
    /// The names of the contents that lie at the same places. `None` if they are compared for the first
    /// time, or do not lie in the images in one piece; then they are remembered under `path`.
    pub(super) fn known(
        &mut self,
        contents: &[Content; 2],
        path: Option<&[u8]>,
    ) -> Option<&mut ContentNames> {
        let place = |content: &Content| {
            let source = content.source();
            let len = source.size().ok().filter(|len| *len > 0)?;
            Some((source.place(0, len)?, len))
        };
        let [(a, len_a), (b, len_b)] = [place(&contents[0])?, place(&contents[1])?];
        let (known, lens) = (self.0.entry([a, b]), [len_a, len_b]);
        let new = || Compared { lens, names: ContentNames::new(path) };
        let mut is_new = false;
        let compared = known
            .and_modify(|known| {
                // the beginning of what was compared is compared, too
                let within = len_a == len_b && len_a <= known.lens[0].min(known.lens[1]);
                is_new = !within && known.lens != lens;
                if is_new {
                    *known = new();
                }
            })
            .or_insert_with(|| {
                is_new = true;
                new()
            });
        (!is_new).then_some(&mut compared.names)
    }
}

impl ContentNames {
    pub(super) fn new(path: Option<&[u8]>) -> ContentNames {
        ContentNames {
            judged: path.map(<[u8]>::to_vec).into_iter().collect(),
            differs: None,
            further: 0,
        }
    }

    /// Says what remains to be done for the name `path`. `differ` compares the contents.
    pub(super) fn and_now(
        &mut self,
        path: &[u8],
        contents: &[Content; 2],
        differ: impl FnOnce() -> Result<bool, Broken>,
    ) -> Result<NextName, Broken> {
        if self.judged.iter().any(|name| name == path) {
            return Ok(NextName::Equal);
        }
        let sources = contents.each_ref().map(Content::source);
        let lens = [sources[0].size().of(Side::A)?, sources[1].size().of(Side::B)?];
        let known = self.differs.filter(|(of, _)| *of == lens).map(|(_, differs)| differs);
        if known == Some(false) {
            return Ok(NextName::Equal);
        }
        if self.further == MOST {
            return Ok(NextName::TooMany);
        }
        self.further += 1;
        let differs = match known {
            Some(differs) => differs,
            None => differ()?,
        };
        self.differs = Some((lens, differs));
        if !differs {
            return Ok(NextName::Equal);
        }
        self.judged.push(path.to_vec());
        Ok(NextName::Differs)
    }
}

/// The difference of a content that is not judged under the name of `spot`.
pub(super) fn not_judged(spot: &Spot, names: &ContentNames) -> Difference {
    let first = names.judged.first();
    let first = first.map_or("a part of the image".to_owned(), |path| printable(path));
    let why = format!(
        "differs, and is not judged under this name: it has the bytes of {first}, which has more than {MOST} other names"
    );
    spot.difference(DifferenceKind::NotJudged(why))
}
