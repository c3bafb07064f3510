//! RTP as Discord's voice servers speak it: the two `rtpsize` modes, in which the fixed header and the head of its extension
//! are authenticated and everything after them is encrypted, with a nonce of four bytes at the end of the packet.
//!
//! Source: <https://discord.com/developers/docs/topics/voice-connections#transport-encryption-and-sending-voice>.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

/// Bytes of the header without sources and extension.
const HEADER: usize = 12;
/// Bytes of the head of an extension.
const EXTENSION_HEAD: usize = 4;
/// Bytes of the nonce that is sent.
const NONCE: usize = 4;
/// Version 2, with an extension.
const FIRST_BYTE: u8 = 0x90;
/// Opus at Discord.
const PAYLOAD_TYPE: u8 = 0x78;
/// One-byte extensions of RFC 8285, one word of them: an audio level and padding, as Discord's clients send.
const EXTENSION: [u8; 8] = [0xBE, 0xDE, 0x00, 0x01, 0x10, 0x90, 0x00, 0x00];

/// How packets are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// AES-256 in GCM.
    Aes256Gcm,
    /// `XChaCha20` with Poly1305.
    XChaCha20Poly1305,
}

impl Mode {
    /// The name in negotiation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aead_aes256_gcm_rtpsize",
            Self::XChaCha20Poly1305 => "aead_xchacha20_poly1305_rtpsize",
        }
    }

    /// The mode with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Aes256Gcm, Self::XChaCha20Poly1305]
            .into_iter()
            .find(|m| m.name() == name)
    }
}

/// What the header of a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

/// A packet is no RTP, or was not encrypted with this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RTP packet under this key")]
pub(crate) struct Unreadable;

/// A key in one of the modes.
pub(crate) enum Cipher {
    Aes(Box<Aes256Gcm>),
    ChaCha(XChaCha20Poly1305),
}

impl Cipher {
    pub(crate) fn new(mode: Mode, key: [u8; 32]) -> Self {
        match mode {
            Mode::Aes256Gcm => Self::Aes(Box::new(Aes256Gcm::new(&key.into()))),
            Mode::XChaCha20Poly1305 => Self::ChaCha(XChaCha20Poly1305::new(&key.into())),
        }
    }

    /// A packet with an extension and `frame`.
    pub(crate) fn seal(&self, header: Header, frame: &[u8], nonce: u32) -> Result<Vec<u8>, Unreadable> {
        let mut packet = Vec::with_capacity(HEADER + EXTENSION.len() + frame.len() + 16 + NONCE);
        packet.extend([FIRST_BYTE, PAYLOAD_TYPE]);
        packet.extend(header.sequence.to_be_bytes());
        packet.extend(header.timestamp.to_be_bytes());
        packet.extend(header.ssrc.to_be_bytes());
        packet.extend(&EXTENSION[..EXTENSION_HEAD]);
        let plain = [&EXTENSION[EXTENSION_HEAD..], frame].concat();
        let nonce = nonce.to_be_bytes();
        let sealed = match self {
            Self::Aes(key) => key.encrypt(
                &Nonce::from(wide::<12>(nonce)),
                Payload {
                    msg: &plain,
                    aad: &packet,
                },
            ),
            Self::ChaCha(key) => key.encrypt(
                &XNonce::from(wide::<24>(nonce)),
                Payload {
                    msg: &plain,
                    aad: &packet,
                },
            ),
        };
        packet.extend(sealed.map_err(|_| Unreadable)?);
        packet.extend(nonce);
        Ok(packet)
    }

    /// What a packet holds, without extension and padding.
    pub(crate) fn open(&self, packet: &[u8]) -> Result<(Header, Vec<u8>), Unreadable> {
        let (header, first) = parse(packet)?;
        let extended = first & 0x10 != 0;
        let clear = HEADER + 4 * usize::from(first & 0x0F) + if extended { EXTENSION_HEAD } else { 0 };
        let body = packet
            .len()
            .checked_sub(NONCE)
            .filter(|end| *end >= clear)
            .ok_or(Unreadable)?;
        let nonce: [u8; NONCE] = packet[body..].try_into().map_err(|_| Unreadable)?;
        let payload = Payload {
            msg: &packet[clear..body],
            aad: &packet[..clear],
        };
        let opened = match self {
            Self::Aes(key) => key.decrypt(&Nonce::from(wide::<12>(nonce)), payload),
            Self::ChaCha(key) => key.decrypt(&XNonce::from(wide::<24>(nonce)), payload),
        };
        let mut plain = opened.map_err(|_| Unreadable)?;
        if extended {
            let words = usize::from(u16::from_be_bytes([packet[clear - 2], packet[clear - 1]]));
            plain = plain.split_off(Some(4 * words).filter(|n| *n <= plain.len()).ok_or(Unreadable)?);
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*plain.last().ok_or(Unreadable)?);
            plain.truncate(plain.len().checked_sub(padding).ok_or(Unreadable)?);
        }
        Ok((header, plain))
    }
}

/// The header, and the first byte with its flags.
fn parse(packet: &[u8]) -> Result<(Header, u8), Unreadable> {
    let fixed: &[u8; HEADER] = packet.first_chunk().ok_or(Unreadable)?;
    let [first, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
    if first >> 6 != 2 || kind & 0x7F != PAYLOAD_TYPE {
        return Err(Unreadable);
    }
    let header = Header {
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
    };
    Ok((header, first))
}

/// The nonce as the cipher wants it: what is sent, then zeros.
fn wide<const N: usize>(nonce: [u8; NONCE]) -> [u8; N] {
    let mut wide = [0; N];
    wide[..NONCE].copy_from_slice(&nonce);
    wide
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_and_nothing_else(
            aes: bool, key: [u8; 32], sequence: u16, timestamp: u32, ssrc: u32, nonce: u32,
            frame in prop::collection::vec(any::<u8>(), 0..400), flip: prop::sample::Index,
        ) {
            let mode = if aes { Mode::Aes256Gcm } else { Mode::XChaCha20Poly1305 };
            prop_assert_eq!(Mode::named(mode.name()), Some(mode));
            let cipher = Cipher::new(mode, key);
            let header = Header { sequence, timestamp, ssrc };
            let mut packet = cipher.seal(header, &frame, nonce).unwrap();
            prop_assert_eq!(cipher.open(&packet), Ok((header, frame)));
            let at = flip.index(packet.len());
            packet[at] ^= 1;
            prop_assert_eq!(cipher.open(&packet), Err(Unreadable));
        }

        #[test]
        fn no_packet_whatever_makes_trouble(packet in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Cipher::new(Mode::Aes256Gcm, [1; 32]).open(&packet);
        }
    }
}
