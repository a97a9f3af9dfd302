//! Parsers. They turn text into trees with line numbers, and know no rule.

pub(crate) mod dockerfile;
pub(crate) mod expression;
pub(crate) mod pattern;
pub(crate) mod rust;
pub(crate) mod shell;
pub(crate) mod yaml;
