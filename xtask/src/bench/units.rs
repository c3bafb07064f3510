//! Times for people.

/// Nanoseconds with three digits that count and a unit: `1.57 µs`.
pub(super) fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", three(value))
}

/// Three digits that count.
pub(super) fn three(value: f64) -> String {
    let decimals = match value.abs() {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let shown: Vec<String> = [0.5, 12.34, 1572.0, 26_400.0, 999_600.0, 1.5e8, 1.59e9]
            .map(time)
            .into();
        assert_eq!(
            shown,
            [
                "0.50 ns", "12.3 ns", "1.57 µs", "26.4 µs", "1000 µs", "150 ms", "1.59 s"
            ]
        );
    }
}
