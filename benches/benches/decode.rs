//! Decoding of 768x512, as `decode/<kind>/ours` and `/image`: beside the `image` crate alone, whose decoder ours
//! uses for PNG. What runs first may pay for memory that the other finds.
#![allow(missing_docs, reason = "Criterion's macros")]

use std::io::Cursor;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat};
use iqa_models::DecodeOptions;
use iqa_models::core::decode_image;
use iqa_testkit::textured;

fn decoding(criterion: &mut Criterion) {
    let picture = DynamicImage::from(textured(768, 512, 0));
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Tiff] {
        let mut bytes = Vec::new();
        match format {
            ImageFormat::Jpeg => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 90)),
            _ => picture.write_to(&mut Cursor::new(&mut bytes), format),
        }
        .expect("encodes");
        let kind = format.extensions_str()[0];
        group.bench_function(format!("{kind}/ours"), |bencher| {
            bencher.iter(|| decode_image(&bytes, "picture", &DecodeOptions::default()).expect("decodes"));
        });
        group.bench_function(format!("{kind}/image"), |bencher| {
            let decode = || image::load_from_memory_with_format(&bytes, format).expect("decodes").into_rgb8();
            bencher.iter(decode);
        });
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
