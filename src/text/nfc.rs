//! Characters composed and decomposed: Unicode's normalisation forms C and D.

use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// `text` in form NFC (Unicode Standard Annex 15): `e` and a combining accent become `é`, and what looks the same is the
/// same.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    match text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.nfc().collect()),
    }
}

/// `text` in form NFD: `é` becomes `e` and a combining accent.
pub(crate) fn nfd(text: &str) -> String {
    text.nfd().collect()
}
