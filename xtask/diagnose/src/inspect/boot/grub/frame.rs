//! The menu that scripts fill, and the place in them that is followed.

use super::syntax::ScriptBlock;
use std::rc::Rc;

/// The scripts and entries of one menu.
#[derive(Default)]
pub(super) struct Frame {
    pub(super) file: String,
    pub(super) title: String,
    /// `$1` and so on.
    pub(super) arguments: Vec<String>,
    pub(super) menu: Vec<MenuEntry>,
}

#[derive(Clone)]
pub(super) struct MenuEntry {
    pub(super) file: String,
    pub(super) arguments: Vec<String>,
    pub(super) body: ScriptBlock,
    pub(super) submenu: bool,
}

impl MenuEntry {
    pub(super) fn is_in(&self, menu: &[MenuEntry]) -> bool {
        menu.iter()
            .any(|other| Rc::ptr_eq(&other.body, &self.body) && other.arguments == self.arguments)
    }
}
