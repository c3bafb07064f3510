//! A Piper model (VITS) in ONNX Runtime: phoneme ids in, samples out.

use std::path::Path;

use goobster_core::ports::SynthesiseError;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;

use super::super::failure::{engine_error, voice_error, voice_error_because};
use super::config::VoiceConfig;
use super::runtime;

/// A ready model.
pub(super) struct Model {
    session: Session,
    scales: [f32; 3],
    multi_speaker: bool,
}

impl Model {
    /// Loads the model and runs it once, so that the first sentence does not pay for the first allocations.
    pub(super) fn load(
        runtime_library: &Path,
        model: &Path,
        config: &VoiceConfig,
        threads: usize,
    ) -> Result<Self, SynthesiseError> {
        let environment = runtime::environment(runtime_library)?;
        let session = build(&environment, model, threads)
            .map_err(|e| voice_error_because(format!("the voice {} cannot be loaded", model.display()), e))?;
        for needed in ["input", "input_lengths", "scales"] {
            if !session.inputs().iter().any(|input| input.name() == needed) {
                return Err(voice_error(format!(
                    "{} is not a Piper voice: it has no input '{needed}'",
                    model.display()
                )));
            }
        }
        let multi_speaker = config.speakers > 1 && session.inputs().iter().any(|input| input.name() == "sid");
        let mut model = Self {
            session,
            scales: config.scales,
            multi_speaker,
        };
        let any = config
            .ids
            .get(&'a')
            .or_else(|| config.ids.get(&super::phonemes::PAD));
        let warm: Vec<i64> = any.into_iter().flatten().copied().cycle().take(48).collect();
        if !warm.is_empty() {
            model.run(warm)?;
        }
        Ok(model)
    }

    /// Speaks phoneme ids; the samples are in about `-1.0..=1.0` at the voice's rate.
    pub(super) fn run(&mut self, ids: Vec<i64>) -> Result<Vec<f32>, SynthesiseError> {
        let samples = self.infer(ids).map_err(|e| SynthesiseError::Engine {
            what: "the Piper voice did not run".to_owned(),
            cause: Some(Box::new(e)),
        })?;
        if samples.iter().all(|s| s.is_finite()) {
            Ok(samples)
        } else {
            Err(engine_error(
                "the Piper voice gave numbers that are no sound".to_owned(),
            ))
        }
    }

    fn infer(&mut self, ids: Vec<i64>) -> ort::Result<Vec<f32>> {
        let length = ids.len() as i64;
        let mut inputs = ort::inputs![
            "input" => Tensor::from_array(([1, length], ids))?,
            "input_lengths" => Tensor::from_array(([1], vec![length]))?,
            "scales" => Tensor::from_array(([3], self.scales.to_vec()))?,
        ];
        if self.multi_speaker {
            inputs.push(("sid".into(), Tensor::from_array(([1], vec![0_i64]))?.into()));
        }
        let outputs = self.session.run(inputs)?;
        let (_, samples) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(samples.to_vec())
    }
}

fn build(environment: &ort::environment::Environment, model: &Path, threads: usize) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        // Threads that wait by spinning would take the cores from the recogniser.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?;
    builder.commit_from_file(model)
}
