//! Tests over copies of a clean checkout, which they break.

mod checkout;
mod docs;
mod fixtures;
mod mistakes;
mod runs;
