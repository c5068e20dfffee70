//! AMX-BF16: products of tiles of sixteen rows of sixty-four bytes.
//!
//! `unsafe`, because there are no functions for its instructions in this Rust.
#![allow(unsafe_code)]

#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
mod tiles {
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    use std::marker::PhantomData;

    use super::super::{CHANNELS, Operands, STEP, Sums};

    /// Whether the processor has it and the system gives its registers to this process, which it is asked for here.
    pub(in super::super) fn is_there() -> bool {
        const AMX_BF16: u32 = 1 << 22;
        const AMX_TILE: u32 = 1 << 24;
        const REQUEST_PERMISSION: libc::c_long = 0x1023;
        const TILE_DATA: libc::c_long = 18;
        if __cpuid(0).eax < 7 || __cpuid_count(7, 0).edx & (AMX_BF16 | AMX_TILE) != AMX_BF16 | AMX_TILE {
            return false;
        }
        // Systems that do not know the registers know no such call.
        // SAFETY: asks for a permission of this process; touches no memory.
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bf16")
            && unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) } == 0
    }

    /// The tiles of this thread, all of sixteen full rows, as long as this lives.
    pub(in crate::cpu) struct Configured(PhantomData<*const ()>);

    impl Configured {
        /// Only where [`is_there`] has said so.
        pub(in crate::cpu) fn new() -> Self {
            #[repr(C, align(64))]
            struct Layout {
                palette: u8,
                start_row: u8,
                reserved: [u8; 14],
                bytes: [u16; 16],
                rows: [u8; 16],
            }
            let mut layout =
                Layout { palette: 1, start_row: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
            layout.bytes[..8].fill(64);
            layout.rows[..8].fill(16);
            // SAFETY: reads the 64 bytes of `layout`.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const layout, options(nostack, readonly)) };
            Self(PhantomData)
        }
    }

    impl Drop for Configured {
        fn drop(&mut self) {
            // SAFETY: touches no memory.
            unsafe { asm!("tilerelease", options(nostack, nomem)) };
        }
    }

    const BYTES: usize = size_of::<u16>();
    const _: () = assert!(CHANNELS * BYTES == 64 && STEP * BYTES == 2048);

    /// Other weights, in registers 6 and 7, for the pixels in 4 and 5. Each register is loaded as late as it is needed, so that
    /// loads of the next products go on beside these.
    macro_rules! with_weights {
        ($at:literal, $next:literal) => {
            concat!(
                "tileloadd tmm6, [{weights} + {row}*1 + ",
                $at,
                "]\n",
                "tdpbf16ps tmm0, tmm4, tmm6\n",
                "tdpbf16ps tmm2, tmm5, tmm6\n",
                "tileloadd tmm7, [{weights} + {row}*1 + ",
                $next,
                "]\n",
                "tdpbf16ps tmm1, tmm4, tmm7\n",
                "tdpbf16ps tmm3, tmm5, tmm7"
            )
        };
    }

    /// Other pixels, in registers 4 and 5, for the weights in 6 and 7.
    macro_rules! with_pixels {
        () => {
            concat!(
                "tileloadd tmm4, [{left} + {next}*1]\n",
                "tdpbf16ps tmm0, tmm4, tmm6\n",
                "tdpbf16ps tmm1, tmm4, tmm7\n",
                "tileloadd tmm5, [{right} + {next}*1]\n",
                "tdpbf16ps tmm2, tmm5, tmm6\n",
                "tdpbf16ps tmm3, tmm5, tmm7"
            )
        };
    }

    /// Other ones of both, the weights at the beginning.
    macro_rules! with_both {
        () => {
            concat!(
                "tileloadd tmm4, [{left} + {next}*1]\n",
                "tileloadd tmm6, [{weights} + {row}*1]\n",
                "tdpbf16ps tmm0, tmm4, tmm6\n",
                "tileloadd tmm7, [{weights} + {row}*1 + 1024]\n",
                "tdpbf16ps tmm1, tmm4, tmm7\n",
                "tileloadd tmm5, [{right} + {next}*1]\n",
                "tdpbf16ps tmm2, tmm5, tmm6\n",
                "tdpbf16ps tmm3, tmm5, tmm7"
            )
        };
    }

    /// The sums over all steps, each of the lines given, after which the weights go on by so many bytes; written as two tiles
    /// beside each other, twice.
    macro_rules! sum_up {
        ([$($line:expr),+], $bytes:literal, $operands:ident, $at:ident, $sums:ident $(, $name:ident = $value:expr)?) => {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "mov {from}, [{offsets}]",
                "lea {left}, [{first} + 2*{from}]",
                "lea {right}, [{second} + 2*{from}]",
                $($line,)+
                concat!("add {weights}, ", $bytes),
                "add {offsets}, 8",
                "cmp {offsets}, {end}",
                "jne 2b",
                "add {row}, {row}",
                "tilestored [{sums} + {row}*1], tmm0",
                "tilestored [{sums} + {row}*1 + 64], tmm1",
                "tilestored [{sums} + {row}*1 + 2048], tmm2",
                "tilestored [{sums} + {row}*1 + 2112], tmm3",
                first = in(reg) $at[0],
                second = in(reg) $at[1],
                next = in(reg) $operands.next * BYTES,
                $($name = in(reg) $value,)?
                weights = inout(reg) $operands.weights.as_ptr() => _,
                offsets = inout(reg) $operands.steps.offsets.as_ptr() => _,
                end = in(reg) $operands.steps.offsets.as_ptr_range().end,
                row = inout(reg) 64_usize => _,
                sums = in(reg) $sums.as_mut_ptr(),
                from = out(reg) _,
                left = out(reg) _,
                right = out(reg) _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            )
        };
    }

    /// See [`super::super::products`], which has looked that all lies within the slices.
    pub(in super::super) fn products(operands: &Operands<'_>, sums: &mut Sums) {
        let at = operands.tiles.map(|tile| operands.image[tile..].as_ptr());
        // SAFETY: reads from the image sixteen runs of `CHANNELS` values, `next` apart, from each of both places on by each
        // offset, and from the weights `STEP` values for each offset: the caller has compared them with their lengths. Writes
        // `sums`: two tiles of sixteen rows beside each other, twice.
        unsafe { sum_up!([with_both!()], "2048", operands, at, sums) };
    }

    /// The same where image and weights have three parts, the smallest products first as far as tiles stay where they are.
    pub(in super::super) fn products_of_three(operands: &Operands<'_>, part: usize, sums: &mut Sums) {
        let at = operands.tiles.map(|tile| operands.image[2 * part + tile..].as_ptr());
        // SAFETY: as of `products`, for each part: from the third part on downwards twice, and the weights have three for each
        // offset.
        unsafe {
            sum_up!(
                [
                    with_both!(),
                    "sub {left}, {part}",
                    "sub {right}, {part}",
                    with_pixels!(),
                    with_weights!("2048", "3072"),
                    "sub {left}, {part}",
                    "sub {right}, {part}",
                    with_pixels!(),
                    with_weights!("4096", "5120"),
                    with_weights!("0", "1024")
                ],
                "6144",
                operands,
                at,
                sums,
                part = part * BYTES
            );
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
pub(in crate::cpu) use tiles::Configured;
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
pub(super) use tiles::{is_there, products, products_of_three};

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
mod none {
    use super::super::{Operands, Sums};

    pub(in super::super) fn is_there() -> bool {
        false
    }

    pub(in crate::cpu) struct Configured;

    impl Configured {
        pub(in crate::cpu) fn new() -> Self {
            Self
        }
    }

    pub(in super::super) fn products(_: &Operands<'_>, _: &mut Sums) {
        unreachable!("there are no tiles")
    }

    pub(in super::super) fn products_of_three(_: &Operands<'_>, _: usize, _: &mut Sums) {
        unreachable!("there are no tiles")
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
pub(in crate::cpu) use none::Configured;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
pub(super) use none::{is_there, products, products_of_three};
