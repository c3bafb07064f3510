//! Whisper's text tokens, from `CTranslate2`'s `vocabulary.txt` (one token a line, in GPT-2's printable byte alphabet) to
//! raw bytes as ggml stores them.

use crate::error::ModelError;

/// The token after the last text token, in every Whisper vocabulary.
const FIRST_SPECIAL: &str = "<|endoftext|>";

/// The raw bytes of every text token, in order of their ids: all lines before `<|endoftext|>`.
pub(crate) fn text_tokens(text: &str, label: &str) -> Result<Vec<Vec<u8>>, ModelError> {
    let mut offset = 0u64;
    let mut tokens = Vec::new();
    for line in text.split('\n') {
        if line == FIRST_SPECIAL {
            return Ok(tokens);
        }
        let bytes: Option<Vec<u8>> = line.chars().map(byte_of).collect();
        let Some(bytes) = bytes else {
            return Err(ModelError::Format {
                file: label.to_owned(),
                offset,
                what: format!("token {} is not in the byte alphabet", tokens.len()),
            });
        };
        tokens.push(bytes);
        offset += line.len() as u64 + 1;
    }
    Err(ModelError::Format {
        file: label.to_owned(),
        offset,
        what: format!("no {FIRST_SPECIAL} line"),
    })
}

/// GPT-2's alphabet writes printable Latin-1 bytes as themselves and the other 68 as U+0100 onwards, in order.
fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    if let Ok(byte) = u8::try_from(code)
        && printable(byte)
    {
        return Some(byte);
    }
    let index = code.checked_sub(0x100)? as usize;
    (0..=u8::MAX).filter(|b| !printable(*b)).nth(index)
}

fn printable(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_covers_every_byte_once() {
        let mut seen = [false; 256];
        for c in (0u32..0x200).filter_map(char::from_u32) {
            if let Some(b) = byte_of(c) {
                assert!(!std::mem::replace(&mut seen[usize::from(b)], true), "{b} twice");
            }
        }
        assert!(seen.iter().all(|s| *s));
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
        assert_eq!(byte_of('語'), None);
    }

    #[test]
    fn tokens_end_before_the_first_special_one() {
        let tokens = text_tokens("!\nĠhi\n\n<|endoftext|>\n<|en|>\n", "vocabulary.txt").unwrap();
        assert_eq!(tokens, [b"!".to_vec(), b" hi".to_vec(), Vec::new()]);
        assert!(
            text_tokens("!\n語\n<|endoftext|>", "v")
                .unwrap_err()
                .to_string()
                .contains("token 1")
        );
        assert!(
            text_tokens("a\nb", "v")
                .unwrap_err()
                .to_string()
                .contains("no <|endoftext|>")
        );
    }
}
