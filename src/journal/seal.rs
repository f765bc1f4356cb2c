//! Personal data sealed per subject: destroy the key, and the person is forgotten while every hash still verifies.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use chacha20poly1305::{AeadCore, KeyInit, XChaCha20Poly1305, XNonce, aead::Aead, aead::OsRng};
use serde_json::Value;

/// The payload field that holds what is personal.
const FIELD: &str = "personal";
const NONCE_BYTES: usize = 24;

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the payload is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("an event with a subject has no \"personal\" field")]
    NoField,
    #[error("the sealed data does not open with its subject's key")]
    Broken,
}

pub type Key = [u8; 32];

pub fn new_key() -> Key {
    XChaCha20Poly1305::generate_key(&mut OsRng).into()
}

/// Replaces the `personal` field by its sealed form.
pub fn seal(payload: &str, key: &Key) -> Result<String, SealError> {
    let mut json: Value = serde_json::from_str(payload)?;
    let field = json.get_mut(FIELD).ok_or(SealError::NoField)?;
    let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(&nonce, field.to_string().as_bytes())
        .map_err(|_| SealError::Broken)?;
    *field = BASE64_STANDARD_NO_PAD
        .encode([nonce.as_slice(), &sealed].concat())
        .into();
    Ok(json.to_string())
}

/// Puts the `personal` field back, or `null` where its key is gone.
pub fn unseal(payload: &str, key: Option<&Key>) -> Result<String, SealError> {
    let mut json: Value = serde_json::from_str(payload)?;
    let field = json.get_mut(FIELD).ok_or(SealError::NoField)?;
    *field = match (key, field.as_str()) {
        (None, _) => Value::Null,
        (Some(_), None) => return Err(SealError::Broken),
        (Some(key), Some(text)) => {
            let bytes = BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| SealError::Broken)?;
            let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(SealError::Broken)?;
            let open = XChaCha20Poly1305::new(key.into())
                .decrypt(XNonce::from_slice(nonce), sealed)
                .map_err(|_| SealError::Broken)?;
            serde_json::from_slice(&open)?
        }
    };
    Ok(json.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = r#"{"n":1,"personal":{"name":"Example"}}"#;

    #[test]
    fn what_is_sealed_opens_with_its_key_only() {
        let key = new_key();
        let sealed = seal(PAYLOAD, &key).unwrap();
        assert!(!sealed.contains("Example"));
        assert_eq!(unseal(&sealed, Some(&key)).unwrap(), PAYLOAD);
        assert!(matches!(unseal(&sealed, Some(&new_key())), Err(SealError::Broken)));
    }

    #[test]
    fn without_a_key_the_person_is_gone_and_the_rest_stays() {
        let sealed = seal(PAYLOAD, &new_key()).unwrap();
        assert_eq!(unseal(&sealed, None).unwrap(), r#"{"n":1,"personal":null}"#);
    }

    #[test]
    fn an_event_without_the_field_cannot_be_sealed() {
        assert!(matches!(seal("{}", &new_key()), Err(SealError::NoField)));
    }
}
