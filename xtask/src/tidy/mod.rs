//! What a reviewer would forget: the direction of dependencies, module comments, long files, stray files, dead links,
//! unjustified dependencies, paths of somebody's machine, and the licences and sources of everything we build on.

mod files;
mod layers;
mod links;
mod policy;
mod spdx;

use anyhow::{Result, bail};

use crate::{metadata, shell};

/// What one check found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// These fail the run.
    pub(crate) errors: Vec<String>,
    /// These are only reported.
    pub(crate) notes: Vec<String>,
}

impl Findings {
    fn error(&mut self, what: impl Into<String>) {
        self.errors.push(what.into());
    }

    fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }
}

pub(crate) fn run() -> Result<()> {
    let root = shell::root();
    let mut found = Findings::default();
    layers::check(&metadata::workspace()?, &mut found);
    files::check(&root, &mut found)?;
    links::check(&root, &mut found)?;
    policy::check(&root, &metadata::all()?, &mut found)?;
    for note in &found.notes {
        println!("note: {note}");
    }
    for error in &found.errors {
        println!("tidy: {error}");
    }
    match found.errors.len() {
        0 => {
            println!("tidy: nothing to complain about, {} notes", found.notes.len());
            Ok(())
        }
        n => bail!("{n} complaints of tidy"),
    }
}
