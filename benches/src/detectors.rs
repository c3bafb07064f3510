//! Silero's network run by ONNX Runtime, and webrtc-vad, as detectors beside ours.

use std::path::{Path, PathBuf};

use goobster_audio::vad::VoiceDetector;
use goobster_models::Cache;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Tensor, TensorRef};
use webrtc_vad::{SampleRate, Vad, VadMode};

/// Samples that the network sees again from the window before.
const CONTEXT: usize = 64;
const WINDOW: usize = 512;

/// `silero_vad.onnx` in ONNX Runtime, one thread.
pub struct OnnxSilero {
    session: Session,
    input: [f32; CONTEXT + WINDOW],
    state: Vec<f32>,
}

impl OnnxSilero {
    /// The library that set-up fetched, and the network where `cargo xtask setup --peers` put it.
    ///
    /// # Errors
    /// Why one of them cannot be used.
    pub fn new() -> Result<Self, String> {
        let cache = Cache::locate().map_err(|e| e.to_string())?;
        let library = std::env::var_os("ORT_DYLIB_PATH")
            .map_or_else(|| cache.root().join("runtime/libonnxruntime.so"), PathBuf::from);
        let network = std::env::var_os("GOOBSTER_SILERO_ONNX").map_or_else(
            || cache.root().join("peers/python/silero_vad/data/silero_vad.onnx"),
            PathBuf::from,
        );
        // `ort` searches by itself, and panics, when a file is not there.
        for file in [&library, &network] {
            if !file.is_file() {
                return Err(format!("{} is not there", file.display()));
            }
        }
        Ok(Self {
            session: load(&library, &network)?,
            input: [0.0; CONTEXT + WINDOW],
            state: vec![0.0; 2 * 128],
        })
    }

    fn run(&mut self) -> ort::Result<f32> {
        let outputs = self.session.run(ort::inputs![
            "input" => TensorRef::from_array_view(([1, CONTEXT + WINDOW], &self.input[..]))?,
            "state" => TensorRef::from_array_view(([2, 1, 128], &self.state[..]))?,
            "sr" => Tensor::from_array(([1], vec![16_000_i64]))?,
        ])?;
        let probability = outputs["output"].try_extract_tensor::<f32>()?.1[0];
        self.state
            .copy_from_slice(outputs["stateN"].try_extract_tensor::<f32>()?.1);
        Ok(probability)
    }
}

fn load(library: &Path, network: &Path) -> Result<Session, String> {
    let runtime = ort::init_from(library).map_err(|e| e.to_string())?;
    let build = || {
        let environment = runtime.with_telemetry(false).build()?;
        Session::builder(&environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .commit_from_file(network)
    };
    build().map_err(|e: ort::Error| e.to_string())
}

impl VoiceDetector for OnnxSilero {
    fn window(&self) -> usize {
        WINDOW
    }

    fn probability(&mut self, samples: &[f32]) -> f32 {
        self.input.copy_within(WINDOW.., 0);
        self.input[CONTEXT..].copy_from_slice(samples);
        match self.run() {
            Ok(probability) => probability,
            Err(error) => unreachable!("the network has these inputs: {error}"),
        }
    }

    fn reset(&mut self) {
        self.input.fill(0.0);
        self.state.fill(0.0);
    }
}

/// webrtc-vad in its strictest mode, frames of 10 ms; yes is 1 and no is 0.
pub struct WebRtc {
    vad: Vad,
    frame: [i16; 160],
    filled: usize,
    last: f32,
}

impl WebRtc {
    /// One that has heard nothing.
    pub fn new() -> Self {
        Self {
            vad: Vad::new_with_rate_and_mode(SampleRate::Rate16kHz, VadMode::VeryAggressive),
            frame: [0; 160],
            filled: 0,
            last: 0.0,
        }
    }
}

impl Default for WebRtc {
    fn default() -> Self {
        Self::new()
    }
}

impl VoiceDetector for WebRtc {
    fn window(&self) -> usize {
        WINDOW
    }

    /// The answer for the last frame of 10 ms that the window completes.
    fn probability(&mut self, samples: &[f32]) -> f32 {
        for sample in samples {
            self.frame[self.filled] = (sample * 32_767.0) as i16;
            self.filled += 1;
            if self.filled == self.frame.len() {
                self.filled = 0;
                let voice = self.vad.is_voice_segment(&self.frame).unwrap_or(false);
                self.last = f32::from(u8::from(voice));
            }
        }
        self.last
    }

    fn reset(&mut self) {
        self.vad.reset();
        self.filled = 0;
    }
}
