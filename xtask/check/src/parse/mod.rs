//! Parsers: text in, a tree with line numbers out; none of them knows a rule.

pub mod dockerfile;
pub mod expression;
pub mod pattern;
pub mod rust;
pub mod shell;
pub mod yaml;
