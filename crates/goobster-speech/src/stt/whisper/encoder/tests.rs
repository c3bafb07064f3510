//! The encoder beside a plain one in double precision, on a small network of seeded weights.

use super::weights::Norm;
use super::*;

const WIDTH: usize = 128;
const BANDS: usize = 5;

/// Numbers between -1 and 1 that look random.
struct Seeded(u64);

impl Seeded {
    fn take(&mut self, count: usize, size: f32) -> Vec<f32> {
        (0..count)
            .map(|_| {
                self.0 = self
                    .0
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                ((self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0) * size
            })
            .collect()
    }

    fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let size = 1.5 / (inputs as f32).sqrt();
        Linear {
            weights: self.take(inputs * outputs, size),
            bias: self.take(outputs, 0.3),
            inputs,
            outputs,
        }
    }

    fn norm(&mut self) -> Norm {
        let scale = self.take(WIDTH, 0.5).iter().map(|x| x + 1.0).collect();
        Norm {
            scale,
            shift: self.take(WIDTH, 0.2),
        }
    }
}

fn network() -> Weights {
    let mut seeded = Seeded(7);
    let blocks = (0..2)
        .map(|_| Block {
            attention_norm: seeded.norm(),
            qkv: seeded.linear(WIDTH, 3 * WIDTH),
            out: seeded.linear(WIDTH, WIDTH),
            mlp_norm: seeded.norm(),
            up: seeded.linear(WIDTH, 4 * WIDTH),
            down: seeded.linear(4 * WIDTH, WIDTH),
        })
        .collect();
    Weights {
        width: WIDTH,
        bands: BANDS,
        conv1: seeded.linear(3 * BANDS, WIDTH),
        conv2: seeded.linear(3 * WIDTH, WIDTH),
        positions: seeded.take(300 * WIDTH, 0.5),
        blocks,
        last: seeded.norm(),
    }
}

type Rows = Vec<Vec<f64>>;

fn apply(layer: &Linear, rows: &Rows) -> Rows {
    let dot = |row: &[f64], o: usize| -> f64 {
        let weights = &layer.weights[o * layer.inputs..][..layer.inputs];
        row.iter()
            .zip(weights)
            .map(|(x, w)| x * f64::from(*w))
            .sum::<f64>()
            + f64::from(layer.bias[o])
    };
    rows.iter()
        .map(|row| (0..layer.outputs).map(|o| dot(row, o)).collect())
        .collect()
}

fn normed(norm: &Norm, rows: &Rows) -> Rows {
    let one = |row: &Vec<f64>| {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
        let parts = row.iter().zip(&norm.scale).zip(&norm.shift);
        parts
            .map(|((x, s), t)| (x - mean) / (variance + 1e-5).sqrt() * f64::from(*s) + f64::from(*t))
            .collect()
    };
    rows.iter().map(one).collect()
}

fn bent(mut rows: Rows) -> Rows {
    for x in rows.iter_mut().flatten() {
        *x *= 0.5 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (*x + 0.044_715 * x.powi(3))).tanh());
    }
    rows
}

fn plus(a: &Rows, b: &Rows) -> Rows {
    let row = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect();
    a.iter().zip(b).map(row).collect()
}

/// What three steps around each place are, every `stride`-th place; `turned` as time by channel.
fn windows(rows: &Rows, stride: usize, turned: bool) -> Rows {
    let at = |step: usize, tap: usize, c: usize| {
        (step + tap)
            .checked_sub(1)
            .and_then(|at| rows.get(at))
            .map_or(0.0, |row| row[c])
    };
    let channels = rows[0].len();
    let window = |step: usize| -> Vec<f64> {
        if turned {
            (0..3)
                .flat_map(|tap| (0..channels).map(move |c| (tap, c)))
                .map(|(tap, c)| at(step, tap, c))
                .collect()
        } else {
            (0..channels)
                .flat_map(|c| (0..3).map(move |tap| (tap, c)))
                .map(|(tap, c)| at(step, tap, c))
                .collect()
        }
    };
    (0..rows.len()).step_by(stride).map(window).collect()
}

fn attention(qkv: &Rows) -> Rows {
    let mut out = vec![vec![0.0; WIDTH]; qkv.len()];
    for head in (0..WIDTH).step_by(HEAD) {
        for (row, out) in qkv.iter().zip(&mut out) {
            let score = |other: &Vec<f64>| {
                (0..HEAD)
                    .map(|i| row[head + i] * other[WIDTH + head + i])
                    .sum::<f64>()
                    / 8.0
            };
            let shares: Vec<f64> = qkv.iter().map(|other| score(other).exp()).collect();
            let sum: f64 = shares.iter().sum();
            for (share, other) in shares.iter().zip(qkv) {
                for i in 0..HEAD {
                    out[head + i] += share / sum * other[2 * WIDTH + head + i];
                }
            }
        }
    }
    out
}

fn plainly(net: &Weights, mel: &[f32], frames: usize) -> Rows {
    let steps: Rows = (0..2 * frames)
        .map(|t| (0..BANDS).map(|b| f64::from(mel[b * 2 * frames + t])).collect())
        .collect();
    let first = bent(apply(&net.conv1, &windows(&steps, 1, false)));
    let second = bent(apply(&net.conv2, &windows(&first, 2, true)));
    let positions: Rows = net
        .positions
        .chunks(WIDTH)
        .map(|p| p.iter().map(|x| f64::from(*x)).collect())
        .collect();
    let mut x = plus(&second, &positions);
    for block in &net.blocks {
        let heard = attention(&apply(&block.qkv, &normed(&block.attention_norm, &x)));
        x = plus(&x, &apply(&block.out, &heard));
        let hidden = bent(apply(&block.up, &normed(&block.mlp_norm, &x)));
        x = plus(&x, &apply(&block.down, &hidden));
    }
    normed(&net.last, &x)
}

#[test]
fn it_computes_what_the_network_says_with_any_number_of_threads() {
    let net = network();
    let mut scratch = Scratch::default();
    // A long sound first: what it leaves in the buffers must not be heard in the short one.
    for (frames, threads) in [(230, 1), (230, 2), (37, 3), (1, 4)] {
        let mel = Seeded(frames as u64).take(BANDS * 2 * frames, 1.0);
        let mut out = vec![f32::NAN; frames * WIDTH];
        net.encode(&mut scratch, threads, &mel, &mut out, || false);
        let wanted = plainly(&net, &mel, frames);
        for (out, wanted) in out.iter().zip(wanted.iter().flatten()) {
            assert!(
                (f64::from(*out) - wanted).abs() < 2e-4,
                "{out} is not {wanted} ({frames} frames, {threads} threads)"
            );
        }
    }
}

#[test]
fn what_is_not_wanted_any_more_ends_between_two_blocks_in_silence() {
    let net = network();
    let mel = Seeded(1).take(BANDS * 2 * 20, 1.0);
    let mut out = vec![f32::NAN; 20 * WIDTH];
    let asked = std::cell::Cell::new(0);
    let second_time = || asked.replace(asked.get() + 1) == 1;
    net.encode(&mut Scratch::default(), 1, &mel, &mut out, second_time);
    assert_eq!(asked.get(), 2);
    assert!(out.iter().all(|x| *x == 0.0));
}
