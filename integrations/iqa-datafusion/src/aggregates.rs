//! Aggregates: how well scores agree with opinions.

use std::mem::size_of_val;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use iqa_models::metrics::MetricsError;
use iqa_models::metrics::agreement::{krcc, plcc, srcc};

use crate::SqlError;

/// A correlation of predicted scores and subjective ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Figure {
    Plcc,
    Srcc,
    Krcc,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Correlation {
    figure: Figure,
    signature: Signature,
}

/// All aggregates: `plcc`, `srcc` and `krcc` of (score, mos). Rows without one or the other are left out, as SQL's `corr` does;
/// NULL of fewer than two pairs, and where all scores, or all opinions, are the same.
pub(crate) fn aggregate_functions() -> Vec<AggregateUDF> {
    let signature = || Signature::exact(vec![DataType::Float64; 2], Volatility::Immutable);
    [Figure::Plcc, Figure::Srcc, Figure::Krcc]
        .map(|figure| Correlation { figure, signature: signature() }.into())
        .into()
}

impl AggregateUDFImpl for Correlation {
    fn name(&self) -> &str {
        self.figure.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Pairs { figure: self.figure, pairs: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name| Field::new_list(format_state_name(args.name, name), item(), false);
        Ok(["predicted", "subjective"].map(|name| Arc::new(list(name))).into())
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Self::Plcc => "plcc",
            Self::Srcc => "srcc",
            Self::Krcc => "krcc",
        }
    }
}

/// The pairs so far. They are kept, since ranks are not known before the last; and so partial states merge exactly.
#[derive(Debug)]
struct Pairs {
    figure: Figure,
    pairs: Vec<(f64, f64)>,
}

impl Pairs {
    fn add(&mut self, predicted: &dyn Array, subjective: &dyn Array) {
        let predicted = predicted.as_primitive::<Float64Type>();
        let subjective = subjective.as_primitive::<Float64Type>();
        let both =
            predicted.iter().zip(subjective).filter_map(|(predicted, subjective)| predicted.zip(subjective));
        self.pairs.extend(both);
    }
}

impl Accumulator for Pairs {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], &values[1]);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (predicted, subjective) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for (predicted, subjective) in predicted.iter().zip(subjective.iter()) {
            if let Some((predicted, subjective)) = predicted.zip(subjective) {
                self.add(&predicted, &subjective);
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |values: Vec<ScalarValue>| {
            ScalarValue::List(ScalarValue::new_list(&values, &DataType::Float64, true))
        };
        let pairs = std::mem::take(&mut self.pairs);
        let predicted = pairs.iter().map(|pair| ScalarValue::from(pair.0)).collect();
        let subjective = pairs.iter().map(|pair| ScalarValue::from(pair.1)).collect();
        Ok(vec![list(predicted), list(subjective)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // In one order, so that the sums are the same however the pairs were divided and merged.
        self.pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (predicted, subjective): (Vec<f64>, Vec<f64>) = self.pairs.iter().copied().unzip();
        let value = match self.figure {
            Figure::Plcc => plcc(&predicted, &subjective),
            Figure::Srcc => srcc(&predicted, &subjective),
            Figure::Krcc => krcc(&predicted, &subjective),
        };
        match value {
            Ok(value) => Ok(ScalarValue::Float64(Some(value))),
            Err(MetricsError::TooShort { .. } | MetricsError::Constant { .. }) => {
                Ok(ScalarValue::Float64(None))
            }
            Err(source) => Err(SqlError::Correlation { function: self.figure.name(), source }.into()),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.pairs.capacity() * size_of::<(f64, f64)>()
    }
}
