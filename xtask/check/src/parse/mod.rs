//! Parsers: text in, a tree with line numbers out; none of them knows a rule.

pub(crate) mod dockerfile;
pub(crate) mod expression;
pub(crate) mod pattern;
pub(crate) mod rust;
pub(crate) mod shell;
pub(crate) mod yaml;
