//! The checker against a model written here byte by byte, and against every way to break it.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

const HEADER: [i32; 11] = [51_864, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 7];

/// A whole `tiny.en` in `q8_0`, all weights zero; tensors in the order of their names.
fn tiny_model() -> Vec<u8> {
    let shape = ModelShape {
        vocabulary: 51_864,
        width: 384,
        encoder_layers: 4,
        decoder_layers: 4,
        mel_bands: 80,
        weights: WeightType::Q8_0,
    };
    let mut bytes = MAGIC.to_le_bytes().to_vec();
    bytes.extend(HEADER.iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([80_u32, 201].iter().flat_map(|field| field.to_le_bytes()));
    bytes.resize(bytes.len() + 80 * 201 * 4, 0);
    bytes.extend(50_257_u32.to_le_bytes());
    for word in 0..50_257_u32 {
        let text = format!("w{word}");
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    let layout = Layout::of(&shape);
    let mut tensors: Vec<_> = layout.iter().collect();
    tensors.sort_by_key(|(name, _)| (*name).clone());
    for (name, tensor) in tensors {
        bytes.extend(
            [4, name.len() as u32, tensor.weights.number()]
                .iter()
                .flat_map(|f| f.to_le_bytes()),
        );
        bytes.extend(tensor.sizes.iter().flat_map(|size| (*size as u32).to_le_bytes()));
        bytes.extend(name.as_bytes());
        bytes.resize(
            bytes.len() + tensor.weights.bytes(tensor.sizes).unwrap() as usize,
            0,
        );
    }
    bytes
}

fn check(bytes: &[u8]) -> Result<ModelShape, BadModel> {
    check_ggml(&mut Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn a_whole_model_passes_and_its_shape_is_told() {
    let shape = check(&tiny_model()).unwrap();
    assert_eq!(
        (shape.width, shape.encoder_layers, shape.weights),
        (384, 4, WeightType::Q8_0)
    );
    assert!(!shape.is_multilingual());
}

#[test]
fn the_tensor_count_is_the_loaders() {
    let shape = check(&tiny_model()).unwrap();
    // whisper.cpp: 10 + 15 + 15 * encoder layers + 24 * decoder layers is its reserve; a tiny model really has 167.
    assert_eq!(Layout::of(&shape).len(), 167);
}

#[test]
fn a_cut_file_is_called_cut_wherever_it_is_cut() {
    let model = tiny_model();
    for at in [
        0,
        3,
        4,
        30,
        48,
        60,
        64_000,
        64_400,
        200_000,
        1_000_000,
        20_000_000,
        model.len() - 1,
    ] {
        match check(&model[..at]) {
            Err(BadModel::Truncated { at: told, .. }) => assert_eq!(told, at as u64),
            other => panic!("cut at {at}: {other:?}"),
        }
    }
}

#[test]
fn other_files_are_named_as_such() {
    for other in [&b"RIFF....WAVEfmt "[..], b"GGUF\x03\0\0\0", b"<!DOCTYPE html>"] {
        assert!(matches!(check(other), Err(BadModel::NotGgml { .. })), "{other:?}");
    }
}

#[test]
fn every_header_field_is_bounded() {
    let model = tiny_model();
    for field in 0..11 {
        for value in [-1_i32, 0x7fff_ffff, i32::MIN, 5_000_000] {
            let mut broken = model.clone();
            broken[4 + field * 4..8 + field * 4].copy_from_slice(&value.to_le_bytes());
            assert!(check(&broken).is_err(), "field {field} = {value}");
        }
    }
}

#[test]
fn a_tensor_of_another_type_shape_or_name_is_refused() {
    let model = tiny_model();
    let name = b"decoder.blocks.0.attn.key.weight";
    let at = model
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    // The head of an entry: dimensions, name length, type, four sizes, then the name.
    for (offset, what) in [
        (28, "dimensions"),
        (24, "name length"),
        (20, "type"),
        (16, "first size"),
        (12, "second"),
    ] {
        let mut broken = model.clone();
        broken[at - offset] ^= 0x41;
        assert!(check(&broken).is_err(), "{what}");
    }
    let mut broken = model.clone();
    broken[at] = b'x';
    assert!(
        check(&broken)
            .unwrap_err()
            .to_string()
            .contains("xecoder.blocks.0.attn.key.weight")
    );
}

#[test]
fn trailing_bytes_are_refused() {
    let mut model = tiny_model();
    model.extend([1, 0, 0, 0]);
    assert!(check(&model).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn noise_behind_the_magic_is_refused_without_a_panic(noise in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend(noise);
        prop_assert!(check(&bytes).is_err());
    }
}
