//! `say!`: a line of a report.

/// Appends a line to a String, which cannot fail.
macro_rules! say {
    ($out:expr, $($text:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($text)*);
    }};
}
