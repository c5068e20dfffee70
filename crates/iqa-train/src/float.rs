//! Numbers in JSON, which has no NaN and no infinity: those are written as text.
//!
//! For `#[serde(with = "crate::float")]`. Checkpoints of earlier versions hold `null` in their place, read as NaN.

use serde::{Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.collect_str(value) }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(optional::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// A number that may be missing: `null`.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        match Option::deserialize(deserializer)? {
            Some(Form::Number(value)) => Ok(Some(value)),
            Some(Form::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Row {
        #[serde(with = "super")]
        loss: f64,
    }

    #[test]
    fn every_number_comes_back() {
        for loss in [0.1, -0.0, 1e308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let text = serde_json::to_string(&Row { loss }).expect("writes");
            let found: Row = serde_json::from_str(&text).expect("reads");
            assert!(
                found.loss.to_bits() == loss.to_bits() || (found.loss.is_nan() && loss.is_nan()),
                "{text}"
            );
        }
        assert!(serde_json::from_str::<Row>(r#"{"loss":null}"#).expect("reads").loss.is_nan());
        assert!(serde_json::from_str::<Row>(r#"{"loss":"much"}"#).is_err());
    }
}
