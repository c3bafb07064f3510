//! The models, voices and sample speech Goobster needs: manifest, fetch, verify, convert.
