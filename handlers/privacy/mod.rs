//! What keeps personal values from resting in clear. `detect` finds them in what was said, written or spoken.

pub mod detect;
