//! Levers and their anchors.

/// One thing that a recipe steers, or relies on, inside upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lever {
    pub name: String,
    /// A sentence: what is true as long as the anchors hold.
    pub what: String,
    pub anchors: Vec<Anchor>,
}

/// A place in upstream's tree, and what must stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// A file or a folder of derivative-maker, or of a submodule in it.
    pub path: String,
    pub must: Must,
    /// Upstream's versions at which somebody read this place.
    pub held_at: Vec<String>,
    /// Commit of the submodule that holds the path, as it was read. With the same commit the anchor
    /// holds, even if the submodule is not there to look at.
    pub submodule_at: Option<String>,
    /// Its line in levers.toml.
    pub line: usize,
}

/// Lines are compared without indentation, and comments do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Must {
    /// The file holds these lines in this order; others may stand between them.
    HaveInOrder(Vec<String>),
    /// These are all lines of the file, or of all files of the folder, that hold the word.
    MentionOnly { word: String, lines: Vec<String> },
    /// No file of the folder holds the text.
    Lack(String),
    /// The folder has exactly these entries.
    List(Vec<String>),
    /// Every program of the folder has content.
    HaveContent,
}
