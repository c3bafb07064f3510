//! The conversion on a Whisper of one layer a side, whole, incomplete and damaged.

use super::super::ctranslate2::tests::file;
use super::*;
use std::io::Cursor;

fn variable(name: &str, shape: &[usize]) -> Variable {
    let elements = shape.iter().product();
    Variable {
        name: name.into(),
        shape: shape.into(),
        element: super::super::ctranslate2::Element::F16,
        elements,
    }
}

#[test]
fn stacks_are_cut_in_order_and_key_biases_dropped() {
    let p = pieces(&variable(
        "decoder/layer_2/self_attention/linear_0/weight",
        &[96, 32],
    ))
    .unwrap();
    let names: Vec<_> = p.iter().map(|p| p.name.as_deref().unwrap()).collect();
    assert_eq!(
        names,
        ["query", "key", "value"].map(|n| format!("decoder.blocks.2.attn.{n}.weight"))
    );
    assert!(p.iter().all(|p| p.shape == [32, 32] && p.storage == Storage::Q8));
    let p = pieces(&variable("decoder/layer_0/attention/linear_1/bias", &[64])).unwrap();
    assert_eq!(p[0].name, None);
    assert_eq!(
        p[1].name.as_deref(),
        Some("decoder.blocks.0.cross_attn.value.bias")
    );
    let p = pieces(&variable("encoder/conv1/bias", &[32])).unwrap();
    assert_eq!(
        (p[0].shape.as_slice(), p[0].storage),
        (&[32usize, 1][..], Storage::F32)
    );
    let p = pieces(&variable("encoder/position_encodings/encodings", &[1500, 32])).unwrap();
    assert_eq!(
        (p[0].name.as_deref(), p[0].storage),
        (Some("encoder.positional_embedding"), Storage::F32)
    );
    assert!(
        pieces(&variable("decoder/scale_embeddings", &[]))
            .unwrap()
            .is_empty()
    );
    assert!(
        pieces(&variable(
            "encoder/layer_0/self_attention/linear_0/weight",
            &[95, 32]
        ))
        .is_err()
    );
}

/// A Whisper of one layer a side and 32 channels.
fn tiny() -> Vec<(String, Vec<u32>)> {
    let mut v: Vec<(String, Vec<u32>)> = vec![
        ("decoder/embeddings/weight".into(), vec![10, 32]),
        ("decoder/position_encodings/encodings".into(), vec![4, 32]),
        ("encoder/position_encodings/encodings".into(), vec![8, 32]),
        ("encoder/conv1/weight".into(), vec![32, 80, 3]),
        ("encoder/conv1/bias".into(), vec![32]),
        ("encoder/conv2/weight".into(), vec![32, 32, 3]),
        ("encoder/conv2/bias".into(), vec![32]),
    ];
    let mut norm = |at: &str| {
        v.push((format!("{at}/layer_norm/gamma"), vec![32]));
        v.push((format!("{at}/layer_norm/beta"), vec![32]));
    };
    for at in [
        "encoder",
        "decoder",
        "encoder/layer_0/self_attention",
        "encoder/layer_0/ffn",
    ] {
        norm(at);
    }
    for at in ["self_attention", "attention", "ffn"] {
        norm(&format!("decoder/layer_0/{at}"));
    }
    let mut linear = |at: &str, o: u32, i: u32| {
        v.push((format!("{at}/weight"), vec![o, i]));
        v.push((format!("{at}/bias"), vec![o]));
    };
    for side in ["encoder", "decoder"] {
        linear(&format!("{side}/layer_0/self_attention/linear_0"), 96, 32);
        linear(&format!("{side}/layer_0/self_attention/linear_1"), 32, 32);
        linear(&format!("{side}/layer_0/ffn/linear_0"), 128, 32);
        linear(&format!("{side}/layer_0/ffn/linear_1"), 32, 128);
    }
    linear("decoder/layer_0/attention/linear_0", 32, 32);
    linear("decoder/layer_0/attention/linear_1", 64, 32);
    linear("decoder/layer_0/attention/linear_2", 32, 32);
    v
}

fn encode(variables: &[(String, Vec<u32>)]) -> Vec<u8> {
    let heads = [
        ("encoder/num_heads", vec![2u8, 0]),
        ("decoder/num_heads", vec![2, 0]),
    ];
    let mut all: Vec<(&str, &[u32], u8, Vec<u8>)> = variables
        .iter()
        .map(|(n, s)| {
            (
                n.as_str(),
                s.as_slice(),
                4,
                vec![0; 2 * s.iter().product::<u32>() as usize],
            )
        })
        .collect();
    all.extend(heads.iter().map(|(n, d)| (*n, &[][..], 2, d.clone())));
    file(&all)
}

#[test]
fn a_whole_small_model_converts_and_an_incomplete_one_is_refused() {
    let vocabulary = "a\nb\n<|endoftext|>\n<|x|>";
    let mut out = Cursor::new(Vec::new());
    convert(&encode(&tiny())[..], vocabulary, "model.bin", &mut out).unwrap();
    let bytes = out.into_inner();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(
        [4, 8, 12, 16, 20, 24, 28, 32, 36, 40].map(u32_at),
        [10, 8, 32, 2, 1, 4, 32, 2, 1, 80]
    );

    let mut short = tiny();
    short.pop();
    let e = convert(
        &encode(&short)[..],
        vocabulary,
        "model.bin",
        Cursor::new(Vec::new()),
    )
    .unwrap_err();
    assert!(e.to_string().contains("49 tensors where 50 were expected"), "{e}");
    let mut twice = tiny();
    twice.push(tiny()[0].clone());
    let e = convert(
        &encode(&twice)[..],
        vocabulary,
        "model.bin",
        Cursor::new(Vec::new()),
    )
    .unwrap_err();
    assert!(e.to_string().contains("comes twice"), "{e}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_model_never_panics(at: proptest::sample::Index, flip in 1u8.., cut: proptest::sample::Index) {
        let mut bytes = encode(&tiny());
        let i = at.index(bytes.len().min(4_000));
        bytes[i] ^= flip;
        bytes.truncate(cut.index(bytes.len()) + 1);
        let _ = convert(&bytes[..], "a\n<|endoftext|>", "m", Cursor::new(Vec::new()));
    }
}
