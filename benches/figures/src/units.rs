//! Numbers as people read them.

/// A time, to three digits: `0.26 ns`, `21.8 ns`, `8.83 ms`.
#[must_use]
pub fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ..999.5 => (ns, "ns"),
        ..999.5e3 => (ns / 1e3, "µs"),
        ..999.5e6 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// A time that is a power of ten: `0.1 ns`, `10 µs`.
#[must_use]
pub fn power(ns: f64) -> String {
    let text = time(ns);
    let (value, unit) = text.split_once(' ').expect("a value and a unit");
    let value = if value.contains('.') { value.trim_end_matches('0').trim_end_matches('.') } else { value };
    format!("{value} {unit}")
}

/// How many times, to three digits: `0.42`, `19.1`, `268,000`.
#[must_use]
pub fn ratio(value: f64) -> String {
    match value {
        ..0.01 => "< 0.01".to_owned(),
        ..999.5 => digits(value),
        _ => grouped(rounded(value, 3) as u64),
    }
}

/// How many times, to two digits: `0.42`, `1.9`, `19`, `270,000`.
#[must_use]
pub fn about(value: f64) -> String {
    match value {
        ..0.995 => ratio(value),
        ..9.95 => format!("{value:.1}"),
        _ => grouped(rounded(value, 2) as u64),
    }
}

/// With commas between thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let chunks =
        digits.as_bytes().rchunks(3).rev().map(|chunk| std::str::from_utf8(chunk).expect("they are digits"));
    chunks.collect::<Vec<_>>().join(",")
}

fn rounded(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(value.log10().floor() as i32 + 1 - digits);
    (value / unit).round() * unit
}

fn digits(value: f64) -> String {
    let places = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded() {
        let times = [0.264, 9.994, 9.996, 99.96, 999.4, 999.6, 8_826_000.0, 133e6, 2.5e9].map(time);
        let expected =
            ["0.26 ns", "9.99 ns", "10.0 ns", "100 ns", "999 ns", "1.00 µs", "8.83 ms", "133 ms", "2.50 s"];
        assert_eq!(times, expected);
        assert_eq!([0.1, 1.0, 100.0, 1e4, 1e9].map(power), ["0.1 ns", "1 ns", "100 ns", "10 µs", "1 s"]);
        let ratios = [0.004, 0.4159, 1.94, 19.08, 99.6, 268_432.0, 1_000.0];
        assert_eq!(ratios.map(ratio), ["< 0.01", "0.42", "1.94", "19.1", "99.6", "268,000", "1,000"]);
        assert_eq!(ratios.map(about), ["< 0.01", "0.42", "1.9", "19", "100", "270,000", "1,000"]);
        assert_eq!([7, 1_000, 1_234_567].map(grouped), ["7", "1,000", "1,234,567"]);
    }
}
