//! What tests need and nobody else: in no profile and in no list, fetched by `cargo xtask browser`.

use super::{Artefact, Contents, Kind, Origin, Package, Recipe, Route};

/// axe, which finds what makes a page hard to use with a screen reader, a keyboard or weak eyes.
pub const AXE: Artefact = Artefact {
    id: "axe-core",
    kind: Kind::Tool,
    summary: "accessibility checks of web pages",
    path: "tools/axe.min.js",
    contents: Contents::File {
        size: 653_780,
        sha256: "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
    },
    licence: "MPL-2.0",
    profiles: &[],
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Npm,
            name: "axe-core",
            version: "4.14.1",
            file: "axe-core-4.14.1.tgz",
            size: 708_405,
            sha256: "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
        }],
        recipe: Recipe::Member("package/axe.min.js"),
    }],
};
