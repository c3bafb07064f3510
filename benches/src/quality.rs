//! Figures beside the times: `quality/<group>.json` below the target folder, an object by side (`ours` and the peers).

use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// The figures of one group of benchmarks.
#[derive(Debug)]
pub struct Quality {
    group: String,
    target: PathBuf,
    sides: Map<String, Value>,
}

impl Quality {
    /// Nothing known yet. `target_tmp` is the benchmark's `env!("CARGO_TARGET_TMPDIR")`, which lies in the target folder.
    pub fn of(group: &str, target_tmp: &str) -> Self {
        let target = PathBuf::from(target_tmp);
        Self {
            group: group.to_owned(),
            target: target.parent().map_or(target.clone(), PathBuf::from),
            sides: Map::new(),
        }
    }

    /// Sets a side's figures.
    pub fn set(&mut self, side: &str, figures: Value) {
        self.sides.insert(side.to_owned(), figures);
    }

    /// Says why a peer is not measured, here and on standard error.
    #[expect(
        clippy::print_stderr,
        reason = "whoever runs a benchmark should see why a peer is missing"
    )]
    pub fn leave_out(&mut self, side: &str, why: &str) {
        eprintln!("{}: {side} is left out: {why}", self.group);
        self.set(side, json!({ "left_out": why }));
    }

    /// Writes the file.
    pub fn write(&self) -> io::Result<()> {
        let folder = self.target.join("quality");
        fs::create_dir_all(&folder)?;
        let text = Value::Object(self.sides.clone()).to_string();
        fs::write(folder.join(format!("{}.json", self.group)), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_every_side() {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path().join("tmp");
        let mut quality = Quality::of("vad", tmp.to_str().unwrap());
        quality.set("ours", json!({ "errors": 1, "words": 9 }));
        quality.leave_out("onnxruntime", "not here");
        quality.write().unwrap();
        let text = fs::read_to_string(dir.path().join("quality/vad.json")).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["ours"]["words"], 9);
        assert_eq!(read["onnxruntime"]["left_out"], "not here");
    }
}
