//! Scalar functions: scores, why there is none, and of what weights they are.
//!
//! All are fields of `iqa_scores`: a query that asks for several of the same picture scores it once.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, StringArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};
use datafusion::scalar::ScalarValue;
use iqa_models::Scorer;

use crate::SqlError;
use crate::error::arguments;
use crate::field::field;
use crate::models::{ModelLabel, labels};
use crate::pictures::{Pictures, taken_as};
use crate::score::score;
use crate::threads::on_one_thread;

/// The field of `iqa_scores` that says why a score is missing.
const ERROR: &str = "error";
/// The field of `iqa_scores` that says what the scores depend on besides the pictures.
const IDENTITY: &str = "identity";

/// What a function gives of the scores of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// All, as a struct.
    All,
    /// All, by models of an identity that the first argument says: what the others become where a query is planned. A machine
    /// with other weights refuses.
    AllOf,
    /// The score of the one model.
    Score,
    Error,
    Identity,
}

/// `iqa_scores`, or a field of it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PictureFunction {
    part: Part,
    signature: Signature,
}

/// All scalar functions of pictures.
pub(crate) fn picture_functions() -> Vec<ScalarUDF> {
    let parts = [Part::All, Part::AllOf, Part::Score, Part::Error, Part::Identity];
    parts.map(|part| PictureFunction::new(part).into()).into()
}

/// A call, taken apart.
struct Call<'a, T> {
    identity: Option<&'a str>,
    list: &'a str,
    models: Vec<ModelLabel>,
    pictures: &'a [T],
}

/// An argument's text, if it is a constant one.
fn text(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

impl PictureFunction {
    fn new(part: Part) -> Self {
        // Not immutable: a file may be replaced by another of its name.
        Self { part, signature: Signature::user_defined(Volatility::Stable) }
    }

    fn called(&self) -> &'static str {
        match self.part {
            Part::All => "iqa_scores",
            Part::AllOf => "iqa_scores_of",
            Part::Score => "iqa_score",
            Part::Error => "iqa_error",
            Part::Identity => "iqa_identity",
        }
    }

    /// How many constants stand before the pictures.
    fn constants(&self) -> usize {
        if self.part == Part::AllOf { 2 } else { 1 }
    }

    fn call<'a, T>(
        &self,
        args: &'a [T],
        constant: impl Fn(&'a T) -> Option<&'a str>,
    ) -> Result<Call<'a, T>, SqlError> {
        let wrong = || arguments(self.called(), "the first argument names the models, as a constant text");
        let (constants, pictures) = args.split_at_checked(self.constants()).ok_or_else(wrong)?;
        let constants: Vec<&str> = constants.iter().map(constant).collect::<Option<_>>().ok_or_else(wrong)?;
        let (identity, list) = match constants[..] {
            [identity, list] => (Some(identity), list),
            [list] => (None, list),
            _ => return Err(wrong()),
        };
        Ok(Call { identity, list, models: self.models(list, pictures.len())?, pictures })
    }

    /// The models of a list, for so many columns of pictures.
    fn models(&self, list: &str, pictures: usize) -> Result<Vec<ModelLabel>, SqlError> {
        let called = self.called();
        let models = labels(called, list)?;
        if self.part == Part::Score && models.len() > 1 {
            return Err(arguments(called, format!("`{list}` are several models: iqa_scores takes them")));
        }
        let mut with_reference = false;
        for model in &models {
            let needs = model.needs_reference()?;
            if needs && pictures == 1 {
                let what = format!("`{}` needs a reference: a third argument", model.as_str());
                return Err(arguments(called, what));
            }
            with_reference |= needs;
        }
        if pictures == 2 && !with_reference {
            return Err(arguments(called, format!("`{list}` takes no reference: two arguments")));
        }
        Ok(models)
    }

    /// What `iqa_scores` gives of these models.
    fn fields(models: &[ModelLabel]) -> Fields {
        let scores = models.iter().map(|model| Field::new(model.as_str(), DataType::Float64, true));
        let texts = [ERROR, IDENTITY].map(|name| Field::new(name, DataType::Utf8, true));
        scores.chain(texts).collect()
    }

    /// The field of `iqa_scores` that this function gives, and none of that function itself.
    fn field<'a>(&self, models: &'a [ModelLabel]) -> Option<&'a str> {
        match self.part {
            Part::All | Part::AllOf => None,
            Part::Score => Some(models[0].as_str()),
            Part::Error => Some(ERROR),
            Part::Identity => Some(IDENTITY),
        }
    }
}

impl ScalarUDFImpl for PictureFunction {
    fn name(&self) -> &str {
        self.called()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let called = self.called();
        let constants = self.constants();
        let least = if self.part == Part::Identity { constants } else { constants + 1 };
        if !(least..=constants + 2).contains(&given.len()) {
            let what =
                format!("takes models, pictures and perhaps references, not {} arguments", given.len());
            return Err(arguments(called, what).into());
        }
        let mut taken = vec![DataType::Utf8; constants];
        for given in &given[constants..] {
            let what = || format!("takes contents (binary) or paths (text) of pictures, not {given}");
            taken.push(taken_as(given).ok_or_else(|| arguments(called, what()))?);
        }
        Ok(taken)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        datafusion::common::internal_err!("the type of {} is that of its models", self.called())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let call = self.call(args.scalar_arguments, |argument| (*argument).and_then(text))?;
        let of = match self.part {
            Part::All | Part::AllOf => DataType::Struct(Self::fields(&call.models)),
            Part::Score => DataType::Float64,
            Part::Error | Part::Identity => DataType::Utf8,
        };
        Ok(Arc::new(Field::new(self.name(), of, true)))
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if self.part == Part::AllOf || args.len() == self.constants() {
            return Ok(ExprSimplifyResult::Original(args));
        }
        let call = self.call(&args, |argument| match argument {
            Expr::Literal(value, _) => text(value),
            _ => None,
        })?;
        let identity = lit(identity(&open(&call.models)?));
        let name = self.field(&call.models).map(str::to_owned);
        let all = Arc::new(Self::new(Part::AllOf).into());
        let all = ScalarFunction::new_udf(all, [identity].into_iter().chain(args).collect());
        let all = Expr::ScalarFunction(all);
        Ok(ExprSimplifyResult::Simplified(match name {
            None => all,
            Some(name) => field(all, &name),
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ScalarFunctionArgs { args, number_rows: rows, config_options, .. } = args;
        let call = self.call(&args, |argument| match argument {
            ColumnarValue::Scalar(value) => text(value),
            ColumnarValue::Array(_) => None,
        })?;
        let open = open(&call.models)?;
        let here = identity(&open);
        if let Some(asked) = call.identity
            && asked != here
        {
            let (list, asked) = (call.list.to_owned(), asked.to_owned());
            return Err(SqlError::OtherIdentity { list, asked, here }.into());
        }
        if call.pictures.is_empty() {
            return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(here))));
        }
        let all = scored(&open, here, call.pictures, rows, &config_options)?;
        let all = StructArray::try_new(Self::fields(&call.models), all, None)?;
        Ok(ColumnarValue::Array(match self.field(&call.models) {
            None => Arc::new(all),
            Some(field) => all
                .column_by_name(field)
                .cloned()
                .ok_or_else(|| arguments(self.called(), format!("no field {field}")))?,
        }))
    }
}

/// Models with their labels.
fn open(models: &[ModelLabel]) -> Result<Vec<(&str, Arc<Scorer>)>, SqlError> {
    models.iter().map(|model| Ok((model.as_str(), model.open()?))).collect()
}

/// The columns of [`PictureFunction::fields`].
fn scored(
    models: &[(&str, Arc<Scorer>)],
    identity: String,
    pictures: &[ColumnarValue],
    rows: usize,
    config: &ConfigOptions,
) -> Result<Vec<ArrayRef>> {
    let mut distorted = Pictures::new("picture", &pictures[0], rows, config)?;
    let reference = pictures.get(1).map(|pictures| Pictures::new("reference", pictures, rows, config));
    let reference = reference.transpose()?;
    let scored = on_one_thread(|| score(models, &mut distorted, reference, rows))?;
    let score_of = |place: usize| -> ArrayRef {
        Arc::new(scored.iter().map(|scored| scored.scores[place]).collect::<Float64Array>())
    };
    let mut columns: Vec<ArrayRef> = (0..models.len()).map(score_of).collect();
    columns.push(Arc::new(scored.iter().map(|scored| scored.error.as_deref()).collect::<StringArray>()));
    columns.push(Arc::new(std::iter::repeat_n(Some(identity), rows).collect::<StringArray>()));
    Ok(columns)
}

/// What the scores of models depend on besides the pictures; with their names where they are several.
fn identity(models: &[(&str, Arc<Scorer>)]) -> String {
    match models {
        [(_, scorer)] => scorer.identity().to_string(),
        several => {
            let named = several.iter().map(|(label, scorer)| format!("{label}: {}", scorer.identity()));
            named.collect::<Vec<_>>().join("; ")
        }
    }
}
