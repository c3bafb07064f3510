//! IEEE 754 half precision to single and back, as `CTranslate2` stores weights and ggml stores block scales.

/// The value of a half-precision number, exactly.
pub(crate) fn to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10) & 0x1f;
    let mantissa = u32::from(half) & 0x3ff;
    let bits = match (exponent, mantissa) {
        (0, 0) => 0,
        // Subnormal: mantissa * 2^-24 is exact in single precision.
        (0, m) => (m as f32 * (1.0 / 16_777_216.0)).to_bits(),
        (31, 0) => 0x7f80_0000,
        (31, m) => 0x7fc0_0000 | (m << 13),
        (e, m) => ((e + 112) << 23) | (m << 13),
    };
    f32::from_bits(sign | bits)
}

/// The nearest half-precision number, ties to even; overflow becomes infinity.
pub(crate) fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    // 65520 is the first value that rounds up to infinity.
    if magnitude >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Subnormal or zero: adding 0.5 aligns the mantissa so that the hardware rounds to multiples of 2^-24.
        let aligned = f32::from_bits(magnitude) + 0.5;
        return sign | (aligned.to_bits() - 0.5f32.to_bits()) as u16;
    }
    let odd = (magnitude >> 13) & 1;
    sign | ((magnitude - 0x3800_0000 + 0xfff + odd) >> 13) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_round_trip() {
        for h in 0..=u16::MAX {
            let f = to_f32(h);
            if f.is_nan() {
                assert!(to_f32(from_f32(f)).is_nan());
            } else {
                assert_eq!(from_f32(f), h, "{h:#06x} = {f}");
            }
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn known_values_and_ties() {
        assert_eq!(to_f32(0x3c00), 1.0);
        assert_eq!(to_f32(0xc000), -2.0);
        assert_eq!(to_f32(0x7bff), 65504.0);
        assert_eq!(to_f32(0x0001), 2f32.powi(-24));
        // Halfway between 1 and the next half goes to the even one; a little above goes up.
        assert_eq!(from_f32(1.0 + 2f32.powi(-11)), 0x3c00);
        assert_eq!(from_f32(1.0 + 3.0 * 2f32.powi(-11)), 0x3c02);
        assert_eq!(
            from_f32(f32::from_bits((1.0 + 2f32.powi(-11)).to_bits() + 1)),
            0x3c01
        );
        assert_eq!(from_f32(65520.0), 0x7c00);
        assert_eq!(from_f32(f32::from_bits(65520f32.to_bits() - 1)), 0x7bff);
        assert_eq!(from_f32(2f32.powi(-25)), 0);
        assert_eq!(from_f32(-3.0 * 2f32.powi(-25)), 0x8002);
    }
}
