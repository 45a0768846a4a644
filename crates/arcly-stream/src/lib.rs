//! Embeddable live-media streaming: the arcly crates behind one set of features.
