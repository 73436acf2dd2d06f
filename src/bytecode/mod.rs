//! What the kernel runs: instructions over registers.
