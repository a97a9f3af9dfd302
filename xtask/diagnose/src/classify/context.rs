//! What is known of the two builds beside their images.

/// Two builds; of images without records nearly nothing is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// SOURCE_DATE_EPOCH of A and B, seconds since 1970, where it is not the same.
    pub(crate) epochs: Option<[i64; 2]>,
    /// What the images themselves are: the name of the outermost layer.
    pub(crate) format: Option<&'static str>,
    pub(crate) a: Build,
    pub(crate) b: Build,
}

/// Where and when one build took place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Build {
    pub(crate) host: Option<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) cpus: Option<u64>,
}

impl Context {
    /// Whether two times are the two SOURCE_DATE_EPOCHs.
    pub(crate) fn are_epochs(&self, a: i64, b: i64) -> bool {
        self.epochs == Some([a, b])
    }

    /// Whether a property of the builds was `a` in the one and `b` in the other.
    pub(crate) fn both_were(
        &self,
        property: impl Fn(&Build) -> Option<String>,
        a: &str,
        b: &str,
    ) -> bool {
        property(&self.a).as_deref() == Some(a) && property(&self.b).as_deref() == Some(b)
    }
}
