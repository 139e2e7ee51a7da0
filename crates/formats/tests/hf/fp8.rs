//! 8-bit floats and their scales, against the definition written out element by element.

use formats::hf::Folder;
use tensor::fp8::e4m3_to_f32;

use crate::files::{Entry, Temp, f32s, file};

/// Weights of `shape`, whose bytes count up but skip NaN.
fn bytes(shape: &[usize]) -> Vec<u8> {
    let len = shape.iter().product();
    (0..len)
        .map(|i| (i % 251) as u8)
        .map(|b| if b == 0x7f { 0 } else { b })
        .collect()
}

/// What a folder of these tensors has as `w`, and what its scale was found to be.
fn read(test: &str, config: &str, tensors: &[Entry<'_>]) -> Result<Vec<f32>, String> {
    let temp = Temp::new(test);
    temp.write("config.json", config);
    temp.write("model.safetensors", file(tensors));
    let folder = Folder::open(&temp.0).map_err(|error| error.to_string())?;
    assert_eq!(folder.weights().len(), 1, "scales are no weights");
    let weight = folder.weight("w").expect("it is there");
    let tensor = weight.to_tensor().map_err(|error| error.to_string())?;
    let mut out = vec![0.0; tensor.len()];
    tensor::dequantize(tensor.dtype, &tensor.data, &mut out);
    Ok(out)
}

/// All weights are the byte's value times `scale(matrix, row, column)`, to the nearest BF16.
#[track_caller]
fn check(shape: &[usize; 3], found: &[f32], scale: impl Fn(usize, usize, usize) -> f32) {
    let [_, rows, cols] = *shape;
    for (i, (&byte, &found)) in bytes(shape).iter().zip(found).enumerate() {
        let exact = e4m3_to_f32(byte) * scale(i / cols / rows, i / cols % rows, i % cols);
        assert!(
            (found - exact).abs() <= exact.abs() / 256.0,
            "{i}: {found}, {exact}"
        );
    }
}

const BLOCKS: &str = r#"{"quantization_config": {"weight_block_size": [128, 128]}}"#;

#[test]
fn blocks_that_are_cut_off() {
    let scales: Vec<f32> = (0..6).map(|i| 0.5 + i as f32).collect();
    let found = read(
        "blocks",
        BLOCKS,
        &[
            ("w", "F8_E4M3", &[130, 257], bytes(&[130, 257])),
            ("w_scale_inv", "F32", &[2, 3], f32s(&scales)),
        ],
    );
    let found = found.expect("sound");
    check(&[1, 130, 257], &found, |_, r, c| {
        scales[r / 128 * 3 + c / 128]
    });
}

#[test]
fn one_scale_for_all_or_for_a_row_or_a_matrix() {
    let w = |shape: &'static [usize]| ("w", "F8_E4M3", shape, bytes(shape));
    let one = [w(&[2, 3]), ("w_scale", "BF16", &[], vec![0x00, 0x40])];
    check(
        &[1, 2, 3],
        &read("one", "{}", &one).expect("sound"),
        |_, _, _| 2.0,
    );

    let scales = [0.25, 4.0];
    let rows = [w(&[2, 3]), ("w_scale", "F32", &[2, 1], f32s(&scales))];
    check(
        &[1, 2, 3],
        &read("rows", "{}", &rows).expect("sound"),
        |_, r, _| scales[r],
    );
    let flat = [w(&[2, 3]), ("w_scale", "F32", &[2], f32s(&scales))];
    check(
        &[1, 2, 3],
        &read("flat", "{}", &flat).expect("sound"),
        |_, r, _| scales[r],
    );

    let stack = [w(&[2, 3, 4]), ("w_scale", "F32", &[2, 1, 1], f32s(&scales))];
    check(
        &[2, 3, 4],
        &read("stack", "{}", &stack).expect("sound"),
        |m, _, _| scales[m],
    );
    let all = [w(&[2, 3, 4]), ("w_scale", "F32", &[1], f32s(&[0.5]))];
    check(
        &[2, 3, 4],
        &read("all", "{}", &all).expect("sound"),
        |_, _, _| 0.5,
    );
    let powers = [
        w(&[2, 32]),
        ("w_scale_inv", "F8_E8M0", &[1, 2], vec![127, 130]),
    ];
    let scale = |_, _, c| if c < 16 { 1.0 } else { 8.0 };
    check(
        &[1, 2, 32],
        &read("powers", "{}", &powers).expect("sound"),
        scale,
    );
}

#[test]
fn scales_of_activations_are_left_out_and_none_means_one() {
    let found = read(
        "input",
        "{}",
        &[
            ("w", "F8_E4M3", &[3], bytes(&[3])),
            ("q_proj.input_scale", "F32", &[], f32s(&[9.0])),
        ],
    );
    check(&[1, 1, 3], &found.expect("sound"), |_, _, _| 1.0);
}

#[test]
fn scales_that_do_not_fit_are_named() {
    let w = || ("w", "F8_E4M3", &[4, 6][..], bytes(&[4, 6]));
    let wrong = [w(), ("w_scale_inv", "F32", &[3, 2], f32s(&[1.0; 6]))];
    let error = read("wrong", BLOCKS, &wrong).expect_err("4 rows, 3 scales");
    assert!(
        error.contains("`w_scale_inv`") && error.contains("[4, 6]"),
        "{error}"
    );
    assert!(error.contains("[3, 2]"), "{error}");
    let whole = [w(), ("w_scale", "I64", &[1], vec![0; 8])];
    let error = read("whole", "{}", &whole).expect_err("no float");
    assert!(
        error.contains("`w_scale`") && error.contains("I64"),
        "{error}"
    );
    let config = r#"{"quantization_config": {"weight_block_size": [128, 0]}}"#;
    let error = read("config", config, &[w()]).expect_err("blocks of 0");
    assert!(
        error.contains("quantization_config.weight_block_size"),
        "{error}"
    );
    assert!(error.contains("[128,0]"), "{error}");
}
