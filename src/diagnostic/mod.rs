//! What we tell an operator about a policy.
