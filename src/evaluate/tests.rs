//! Text against text.
