//! Times as people write them.

use std::time::Duration;

/// A running time: `0:41`, `12:05`, `1:02:05`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

/// A duration in a sentence: `1.3 s`, `41 s`, `12 min 5 s`, `1 h 2 min`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (h, m, s) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_has_hours_only_if_there_are_any() {
        let shown = [0, 41, 60, 725, 3599, 3600, 3725].map(|s| clock(Duration::from_secs(s)));
        assert_eq!(shown, ["0:00", "0:41", "1:00", "12:05", "59:59", "1:00:00", "1:02:05"]);
    }

    #[test]
    fn a_span_is_as_exact_as_it_matters() {
        let shown = [0.04, 1.26, 9.94, 9.96, 59.6, 61.0, 725.0, 3599.7, 3725.0]
            .map(|s| span(Duration::from_secs_f64(s)));
        let expected = [
            "0.0 s",
            "1.3 s",
            "9.9 s",
            "10 s",
            "1 min",
            "1 min 1 s",
            "12 min 5 s",
            "1 h",
            "1 h 2 min",
        ];
        assert_eq!(shown, expected);
    }
}
