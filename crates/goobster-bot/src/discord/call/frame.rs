//! From an RTP packet to the Opus frame in it: what songbird leaves around the frame is taken off here.
//!
//! songbird hands over the packet as it decrypted it in place. Around the frame lie the RTP header extension, the suffix of
//! the transport encryption and, in an end-to-end encrypted call, the DAVE trailer, whose bytes are all still there.

/// What a DAVE frame ends in.
const MARKER: [u8; 2] = [0xFA, 0xFA];

/// The trailer at least: an authentication tag of 8 bytes, the size of the trailer, the marker.
const SHORTEST_TRAILER: usize = 11;

/// An Opus packet of digital silence; a client sends five of them when somebody stops talking.
pub(crate) const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];

/// Why there is no Opus frame in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The header extension claims more than there is.
    #[error("the header extension is longer than the packet")]
    Extension,
    /// The offsets do not lie in the packet.
    #[error("the payload lies outside the packet")]
    Bounds,
    /// Nothing is left.
    #[error("the packet holds no frame")]
    Empty,
}

/// The Opus frame in an RTP payload. `start` and `end` are songbird's byte indices (of a `VoiceTick`) into `payload`;
/// `extension` says that a header extension precedes the frame.
///
/// # Errors
/// A packet that is not built right: it comes from the network.
pub(crate) fn opus_frame(
    payload: &[u8],
    start: usize,
    end: usize,
    extension: bool,
) -> Result<&[u8], FrameError> {
    let body = payload.get(start..end).ok_or(FrameError::Bounds)?;
    let frame = if extension {
        body.get(extension_bytes(body)?..).ok_or(FrameError::Extension)?
    } else {
        body
    };
    let frame = without_trailer(frame);
    if frame.is_empty() {
        return Err(FrameError::Empty);
    }
    Ok(frame)
}

/// Bytes of an RTP header extension (RFC 3550, 5.3.1): four, and as many words of four as its length field says.
fn extension_bytes(body: &[u8]) -> Result<usize, FrameError> {
    match body {
        [_, _, high, low, ..] => Ok(4 + 4 * usize::from(u16::from_be_bytes([*high, *low]))),
        _ => Err(FrameError::Extension),
    }
}

/// The frame without its DAVE trailer, if it has one. The trailer's size stands before the marker and counts itself.
fn without_trailer(frame: &[u8]) -> &[u8] {
    let [rest @ .., size, first, second] = frame else {
        return frame;
    };
    let size = usize::from(*size);
    if [*first, *second] != MARKER || size < SHORTEST_TRAILER || size > rest.len() + 3 {
        return frame;
    }
    &frame[..frame.len() - size]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trailer(size: u8) -> Vec<u8> {
        let mut bytes = vec![7; usize::from(size) - 3];
        bytes.extend([size, 0xFA, 0xFA]);
        bytes
    }

    #[test]
    fn what_surrounds_the_frame_is_taken_off() {
        let opus = [0x78, 1, 2, 3, 4];
        let extension = [0xBE, 0xDE, 0, 2, 1, 1, 1, 1, 2, 2, 2, 2];
        for with_extension in [false, true] {
            for with_trailer in [false, true] {
                let mut payload = Vec::new();
                if with_extension {
                    payload.extend(extension);
                }
                payload.extend(opus);
                if with_trailer {
                    payload.extend(trailer(12));
                }
                let end = payload.len();
                payload.extend([9; 20]);
                assert_eq!(opus_frame(&payload, 0, end, with_extension), Ok(&opus[..]));
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_trailer_is_left() {
        for frame in [
            &[0xFA, 0xFA][..],
            &[1, 2, 3, 0xFA, 0xFA],
            &[1, 2, 200, 0xFA, 0xFA],
            &[0xF8, 0xFF, 0xFE],
        ] {
            assert_eq!(opus_frame(frame, 0, frame.len(), false), Ok(frame));
        }
    }

    #[test]
    fn a_packet_that_lies_is_refused() {
        assert_eq!(opus_frame(&[1; 4], 2, 9, false), Err(FrameError::Bounds));
        assert_eq!(opus_frame(&[1; 4], 3, 2, false), Err(FrameError::Bounds));
        assert_eq!(
            opus_frame(&[0, 0, 0, 9, 1], 0, 5, true),
            Err(FrameError::Extension)
        );
        assert_eq!(opus_frame(&[0, 0], 0, 2, true), Err(FrameError::Extension));
        assert_eq!(opus_frame(&[0, 0, 0, 0], 0, 4, true), Err(FrameError::Empty));
        assert_eq!(opus_frame(&trailer(11), 0, 11, false), Err(FrameError::Empty));
    }

    proptest! {
        #[test]
        fn no_packet_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), start in 0..70_usize, end in 0..70_usize, extension: bool) {
            let _ = opus_frame(&bytes, start, end, extension);
        }
    }
}
