//! A WAV file in memory: 16 kHz, mono, 16 bits.

use goobster_core::ports::SPEECH_RATE;

/// The file's bytes. Samples beyond `-1.0..=1.0` are clipped; what is not a number is silence.
pub(super) fn encode(samples: &[f32]) -> Vec<u8> {
    let data = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + data).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel.
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&SPEECH_RATE.to_le_bytes());
    file.extend_from_slice(&(SPEECH_RATE * 2).to_le_bytes());
    // Bytes a frame, bits a sample.
    file.extend_from_slice(&2_u16.to_le_bytes());
    file.extend_from_slice(&16_u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&data.to_le_bytes());
    for sample in samples {
        let value = (sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16;
        file.extend_from_slice(&value.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_the_truth_and_samples_are_clipped() {
        let file = encode(&[0.0, 1.0, -1.0, 2.0, f32::NAN]);
        assert_eq!(file.len(), 54);
        assert_eq!(&file[..4], b"RIFF");
        assert_eq!(u32::from_le_bytes(file[4..8].try_into().unwrap()), 46);
        assert_eq!(u32::from_le_bytes(file[24..28].try_into().unwrap()), 16_000);
        let samples: Vec<i16> = file[44..]
            .chunks(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]))
            .collect();
        assert_eq!(samples, [0, 32_767, -32_767, 32_767, 0]);
    }
}
