//! `iqa_field(scores, name)`: a field of the struct of `iqa_scores`.
//!
//! DataFusion's `get_field` does it too, but counts as cheap and is moved to where tables are read, together with what it is a
//! field of: each field would score the picture again.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};
use datafusion::scalar::ScalarValue;

use std::sync::Arc;

use crate::error::arguments;

const NAME: &str = "iqa_field";

#[derive(Debug, PartialEq, Eq, Hash)]
struct FieldFunction {
    signature: Signature,
}

/// `iqa_field`.
pub(crate) fn field_function() -> ScalarUDF {
    FieldFunction { signature: Signature::any(2, Volatility::Immutable) }.into()
}

/// A call of it.
pub(crate) fn field(scores: Expr, name: &str) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(field_function()), vec![scores, lit(name)]))
}

impl ScalarUDFImpl for FieldFunction {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        datafusion::common::internal_err!("the type of {NAME} is that of the field")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let name = args.scalar_arguments[1].and_then(|name| name.try_as_str().flatten());
        let found = match args.arg_fields[0].data_type() {
            DataType::Struct(fields) => fields.iter().find(|field| Some(field.name().as_str()) == name),
            _ => None,
        };
        let found =
            found.ok_or_else(|| arguments(NAME, "takes scores, and the name of one of their fields"))?;
        Ok(Arc::new(Field::new(NAME, found.data_type().clone(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = match &args.args[1] {
            ColumnarValue::Scalar(name @ ScalarValue::Utf8(Some(_))) => name.try_as_str().flatten(),
            _ => None,
        };
        let scores = args.args[0].to_array(args.number_rows)?;
        let field = name.and_then(|name| scores.as_struct().column_by_name(name));
        let field =
            field.ok_or_else(|| arguments(NAME, "takes scores, and the name of one of their fields"))?;
        Ok(ColumnarValue::Array(field.clone()))
    }
}
