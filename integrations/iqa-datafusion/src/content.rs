//! `iqa_read(path)`: the content of a file, to make a table of contents.

use std::sync::Arc;

use datafusion::arrow::array::BinaryBuilder;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::pictures::Pictures;

#[derive(Debug, PartialEq, Eq, Hash)]
struct ReadFunction {
    signature: Signature,
}

/// `iqa_read`: NULL where the file cannot be read.
pub(crate) fn read_function() -> ScalarUDF {
    ReadFunction { signature: Signature::string(1, Volatility::Stable) }.into()
}

impl ScalarUDFImpl for ReadFunction {
    fn name(&self) -> &str {
        "iqa_read"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut files = Pictures::new("file", &args.args[0], args.number_rows, &args.config_options)?;
        let mut contents = BinaryBuilder::new();
        let mut last = None;
        for row in 0..args.number_rows {
            if !files.is_again(row) {
                last = files.content(row).ok();
            }
            contents.append_option(last.as_deref());
        }
        Ok(ColumnarValue::Array(Arc::new(contents.finish())))
    }
}
