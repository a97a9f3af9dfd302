//! Levers, their anchors, and the layouts of upstream's tree.

/// Everything that a levers.toml says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levers {
    /// The layouts of upstream's tree that the recipe knows, the newest last. A layout is named after the
    /// step that makes the ISO, and a tree has it if it has that step. Empty if there is only one.
    pub layouts: Vec<String>,
    /// Those layouts from which nobody ever built an image to its end.
    pub never_built: Vec<String>,
    pub levers: Vec<Lever>,
}

impl Levers {
    /// The step that makes the ISO in a layout, in upstream's tree.
    pub fn step(layout: &str) -> String {
        format!("build-steps.d/{layout}")
    }

    /// All anchors, each with its lever.
    pub fn anchors(&self) -> impl Iterator<Item = (&Lever, &Anchor)> {
        self.levers.iter().flat_map(|lever| lever.anchors.iter().map(move |anchor| (lever, anchor)))
    }
}

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
    /// The layout in which the anchor counts; `None` for each.
    pub layout: Option<String>,
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
    /// Every program of the folder has content, but for those that are known to have none.
    HaveContent { except: Vec<String> },
}
