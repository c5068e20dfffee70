//! The other papers, and stand-ins for sets that are not at hand.

use iqa_models::datasets::split::SplitPreset::{DuttaKadid10k, Hiqa};

use crate::reproduce::catalogue::{
    Entry, Evaluation, NONE, Ours, Paper, Part, Published, Summary, Training, both, on, ranks, row, three,
};
use Ours::Nothing;

/// One run on one set.
const fn once(run: &'static str, recipe: &'static str, set: &'static str, split: &'static str) -> Training {
    Training { run, recipe, set, split, seeds: 1, weights: "best.safetensors", summary: Summary::Mean }
}

const fn dutta(run: &'static str, recipe: &'static str, test: Evaluation) -> Ours {
    Ours::Training(once(run, recipe, "kadid10k", "dutta_kadid10k"), test)
}

const fn on_kadid(model: &'static str) -> Evaluation {
    on(model, "kadid10k").part(Part::Test(DuttaKadid10k))
}

const VGG16: &str = "--recipe multibranch --backbone vgg16 --preset paper";
const RESNET50: &str = "--recipe multibranch --backbone resnet50 --preset paper";
const INCEPTION: &str = "--recipe multibranch --backbone inception_v3 --preset paper";
const FRP: &str = "--recipe multibranch --backbone vgg16 --branches frp --preset paper";
const FRP_FRNP: &str = "--recipe multibranch --backbone vgg16 --branches frp_frnp --preset paper";

const GSN: Training = once("gsn_kadid10k", "--recipe gsn --preset paper", "kadid10k", "gsn");
const CHALLENGE: &str = "the labels of the challenge's validation and test parts are not public";

const fn gsn(set: &'static str) -> Ours {
    Ours::Training(GSN, on("gsn", set))
}

/// A cell of the ablation, on a fifth of PIPAL's references.
const fn gsn_cell(run: &'static str, recipe: &'static str) -> Ours {
    Ours::Training(once(run, recipe, "pipal", "hiqa"), on("gsn", "pipal").part(Part::Test(Hiqa)))
}

const fn hiqa_runs(run: &'static str, recipe: &'static str, set: &'static str) -> Training {
    let weights = "hiqa.safetensors";
    Training { run, recipe, set, split: "hiqa", seeds: 10, weights, summary: Summary::Median }
}

const fn hiqa(run: &'static str, set: &'static str) -> Ours {
    let training = hiqa_runs(run, "--recipe hiqa --preset paper", set);
    Ours::Training(training, on("hiqa", set).part(Part::Test(Hiqa)))
}

const fn rung(run: &'static str, recipe: &'static str) -> Ours {
    Ours::Training(hiqa_runs(run, recipe, "tid2008"), on("hiqa", "tid2008").part(Part::Test(Hiqa)))
}

const ORACLE: &str = "`iqa train --recipe hiqa --plug-in FILE --oracle` reports it";
const SOURCE: &str = "`iqa train --recipe hiqa --plug-in FILE` takes the generator of another run";
const TWO_SETS: &str = "no command trains on two sets at once";

/// SROCC alone.
const fn rank(srcc: f64) -> Published {
    Published { plcc: None, srcc: Some(srcc), krcc: None }
}

/// Printed as SROCC, then LCC.
const fn turned(srcc: f64, plcc: f64) -> Published {
    both(plcc, srcc)
}

/// The 25 distortions of KADID-10k on photographs, rated with that set's mean opinion scores.
const fn synthetic(model: &'static str, patches: Option<usize>) -> Ours {
    let evaluation = Evaluation { folder: "kadid_kodak", lenient: true, patches, ..on(model, "kadid10k") };
    Ours::Evaluation(evaluation)
}

/// On the photographs that the bundled weights were not trained on, nor selected by: `kodim02`, `kodim07`, `kodim22`.
const fn unseen(model: &'static str) -> Ours {
    let evaluation = Evaluation { folder: "kadid_kodak", lenient: true, ..on(model, "kadid10k") };
    Ours::Evaluation(evaluation.part(Part::References(&["i01", "i02", "i14"])))
}

const fn synthetic_patches(count: usize) -> Ours {
    synthetic("wadiqam_fr", Some(count))
}

const DUTTA: &str = "The paper does not say whether it splits by reference: here it is, 65 to 16. PIPAL is its public part, 200 \
                     references with 23,200 images. The frozen branch needs the ImageNet weights of its backbone.";

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        id: "dutta-2",
        paper: Paper::Dutta,
        place: "Table 2",
        what: "one, two and three branches of VGG16, trained on KADID-10k, tested on its rest and on PIPAL",
        note: DUTTA,
        rows: &[
            row(
                "frp-kadid10k",
                "FRP, KADID-10k",
                ranks(0.9200, 0.7579),
                dutta("multibranch_frp", FRP, on_kadid("multibranch_vgg16")),
            ),
            row(
                "frnp-kadid10k",
                "FRP + FRNP, KADID-10k",
                ranks(0.9315, 0.7765),
                dutta("multibranch_frp_frnp", FRP_FRNP, on_kadid("multibranch_vgg16")),
            ),
            row(
                "nr-kadid10k",
                "FRP + FRNP + NR, KADID-10k",
                ranks(0.9436, 0.7952),
                dutta("multibranch_vgg16", VGG16, on_kadid("multibranch_vgg16")),
            ),
            row(
                "frp-pipal",
                "FRP, PIPAL",
                ranks(0.5650, 0.3971),
                dutta("multibranch_frp", FRP, on("multibranch_vgg16", "pipal")),
            ),
            row(
                "frnp-pipal",
                "FRP + FRNP, PIPAL",
                ranks(0.6215, 0.4422),
                dutta("multibranch_frp_frnp", FRP_FRNP, on("multibranch_vgg16", "pipal")),
            ),
            row(
                "nr-pipal",
                "FRP + FRNP + NR, PIPAL",
                ranks(0.6460, 0.4617),
                dutta("multibranch_vgg16", VGG16, on("multibranch_vgg16", "pipal")),
            ),
        ],
    },
    Entry {
        id: "dutta-3",
        paper: Paper::Dutta,
        place: "Table 3, and the method's own row of Table 1",
        what: "three branches of three backbones, trained on KADID-10k, tested on its rest and on PIPAL",
        note: DUTTA,
        rows: &[
            row(
                "vgg16-kadid10k",
                "VGG16, KADID-10k",
                ranks(0.9436, 0.7952),
                dutta("multibranch_vgg16", VGG16, on_kadid("multibranch_vgg16")),
            ),
            row(
                "resnet50-kadid10k",
                "ResNet50, KADID-10k",
                ranks(0.9493, 0.8068),
                dutta("multibranch_resnet50", RESNET50, on_kadid("multibranch_resnet50")),
            ),
            row(
                "inception-kadid10k",
                "Inception-v3, KADID-10k",
                ranks(0.9536, 0.8128),
                dutta("multibranch_inception_v3", INCEPTION, on_kadid("multibranch_inception_v3")),
            ),
            row(
                "vgg16-pipal",
                "VGG16, PIPAL",
                ranks(0.6460, 0.4617),
                dutta("multibranch_vgg16", VGG16, on("multibranch_vgg16", "pipal")),
            ),
            row(
                "resnet50-pipal",
                "ResNet50, PIPAL",
                ranks(0.6613, 0.4761),
                dutta("multibranch_resnet50", RESNET50, on("multibranch_resnet50", "pipal")),
            ),
            row(
                "inception-pipal",
                "Inception-v3, PIPAL",
                ranks(0.6580, 0.4738),
                dutta("multibranch_inception_v3", INCEPTION, on("multibranch_inception_v3", "pipal")),
            ),
        ],
    },
    Entry {
        id: "gsn-cross",
        paper: Paper::Gsn,
        place: "Tables 3 and 4, across sets",
        what: "trained on all of KADID-10k, tested on LIVE, CSIQ and TID2013",
        note: "",
        rows: &[
            row("live", "LIVE", three(0.922, 0.932, 0.764), gsn("live")),
            row("csiq", "CSIQ", three(0.944, 0.951, 0.801), gsn("csiq")),
            row("tid2013", "TID2013", three(0.892, 0.885, 0.699), gsn("tid2013")),
        ],
    },
    Entry {
        id: "gsn-challenge",
        paper: Paper::Gsn,
        place: "Tables 3 and 4, NTIRE 2022 challenge",
        what: "trained on the public part of PIPAL, tested on the challenge's parts",
        note: "",
        rows: &[
            row("validation", "validation", both(0.853, 0.831), Nothing(CHALLENGE)),
            row("test", "test", both(0.827, 0.815), Nothing(CHALLENGE)),
        ],
    },
    Entry {
        id: "gsn-5",
        paper: Paper::Gsn,
        place: "Table 5",
        what: "ablation on PIPAL: plain or central difference convolution, with and without the listwise loss",
        note: "On which part of PIPAL the paper's figures are is not known here. Ours would keep a fifth of the references of \
               the public part out, so the two are not of the same images.",
        rows: &[
            row(
                "cnn-mse",
                "plain, MSE",
                both(0.785, 0.751),
                gsn_cell("gsn_cnn_mse", "--recipe gsn --gsn-ablation cnn_mse --preset paper"),
            ),
            row(
                "cnn-mse-kl",
                "plain, MSE and KL",
                both(0.802, 0.787),
                gsn_cell("gsn_cnn_mse_kl", "--recipe gsn --gsn-ablation cnn_mse_kl --preset paper"),
            ),
            row(
                "cdc-mse",
                "central difference, MSE",
                both(0.828, 0.804),
                gsn_cell("gsn_cdc_mse", "--recipe gsn --gsn-ablation cdc_mse --preset paper"),
            ),
            row(
                "cdc-mse-kl",
                "central difference, MSE and KL",
                both(0.835, 0.811),
                gsn_cell("gsn_cdc_mse_kl", "--recipe gsn --gsn-ablation cdc_mse_kl --preset paper"),
            ),
        ],
    },
    Entry {
        id: "hiqa-tid2013",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, TID2013",
        what: "80 % to train, 20 % to test, by reference; median of ten",
        note: "",
        rows: &[
            row("hiqa", "HIQA", rank(0.879), hiqa("hiqa_tid2013", "tid2013")),
            row("oracle", "with the true reference", rank(0.935), Nothing(ORACLE)),
        ],
    },
    Entry {
        id: "hiqa-live",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, LIVE",
        what: "80 % to train, 20 % to test, by reference; median of ten",
        note: "",
        rows: &[
            row("hiqa", "HIQA", turned(0.982, 0.982), hiqa("hiqa_live", "live")),
            row("oracle", "with the true reference", turned(0.983, 0.989), Nothing(ORACLE)),
        ],
    },
    Entry {
        id: "hiqa-tid2008",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, TID2008",
        what: "80 % to train, 20 % to test, by reference; median of ten",
        note: "",
        rows: &[row("hiqa", "HIQA", turned(0.941, 0.949), hiqa("hiqa_tid2008", "tid2008"))],
    },
    Entry {
        id: "hiqa-cross",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, LIVE to TID2008",
        what: "trained on LIVE, tested on the four types of TID2008 that both have",
        note: "The paper maps the scores by a logistic regression first: see `PLCC, 5 par.` of the report.",
        rows: &[
            row(
                "hiqa",
                "HIQA",
                turned(0.934, 0.917),
                Ours::Training(
                    Training {
                        weights: "hiqa.safetensors",
                        ..once("hiqa_live_all", "--recipe hiqa --preset paper", "live", "1,0,0")
                    },
                    on("hiqa", "tid2008").part(Part::Subset("shared types")),
                ),
            ),
            row("oracle", "with the true reference", turned(0.939, 0.920), Nothing(ORACLE)),
        ],
    },
    Entry {
        id: "hiqa-source",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, source of the generator",
        what: "the generator trained on other sets, the regressor on LIVE",
        note: "",
        rows: &[
            row("live", "generator on LIVE", turned(0.982, 0.982), hiqa("hiqa_live", "live")),
            row("tid2008", "generator on TID2008", turned(0.982, 0.985), Nothing(SOURCE)),
            row("both", "generator on TID2008 and TID2013", turned(0.983, 0.988), Nothing(TWO_SETS)),
        ],
    },
    Entry {
        id: "hiqa-ablation",
        paper: Paper::Hiqa,
        place: "ablation on TID2008",
        what: "parts added one after the other",
        note: "The order of the rows is reconstructed from the gains that the text states.",
        rows: &[
            row(
                "baseline",
                "baseline",
                turned(0.755, 0.800),
                rung("hiqa_baseline", "--recipe hiqa --rung baseline --preset paper"),
            ),
            row(
                "hallucination",
                "and hallucinated reference",
                turned(0.859, 0.870),
                rung("hiqa_map", "--recipe hiqa --rung map --preset paper"),
            ),
            row(
                "perception",
                "and quality-aware perceptual loss",
                turned(0.864, 0.894),
                rung("hiqa_quality_loss", "--recipe hiqa --rung quality-loss --preset paper"),
            ),
            row(
                "adversarial",
                "and plain adversarial loss",
                turned(0.887, 0.910),
                rung("hiqa_adversary", "--recipe hiqa --rung adversary --preset paper"),
            ),
            row(
                "iqa-adversarial",
                "and IQA-adversarial loss",
                turned(0.910, 0.918),
                rung("hiqa_iqa_adversary", "--recipe hiqa --rung iqa-adversary --preset paper"),
            ),
            row("fusion", "and high-level fusion", turned(0.941, 0.949), hiqa("hiqa_tid2008", "tid2008")),
        ],
    },
    Entry {
        id: "synthetic-kadid10k",
        paper: Paper::StandIn,
        place: "none",
        what: "KADID-10k's 25 distortions on photographs of the Kodak set, each image rated with the mean of its type and \
               level over KADID-10k",
        note: "No person has rated these images: two of one type and level have the same rating, whatever is on them. The \
               bundled WaDIQaM weights were trained on such ratings of 10 of the 15 photographs and selected by 2: their \
               figures on all 15 flatter them. The last four rows are on the 3 photographs that they have never seen. Mean \
               shift and contrast change have no rating: 1,725 images are left. `kadid_kodak` is made by `iqa synthesize --set \
               kadid` from the 15 Kodak photographs of docs/training.",
        rows: &[
            row("psnr", "PSNR", NONE, synthetic("psnr", None)),
            row("ssim", "SSIM", NONE, synthetic("ssim", None)),
            row("wadiqam_fr", "WaDIQaM-FR, bundled weights", NONE, synthetic("wadiqam_fr", None)),
            row("wadiqam_nr", "WaDIQaM-NR, bundled weights", NONE, synthetic("wadiqam_nr", None)),
            row("psnr-unseen", "PSNR, 3 photographs", NONE, unseen("psnr")),
            row("ssim-unseen", "SSIM, 3 photographs", NONE, unseen("ssim")),
            row("wadiqam_fr-unseen", "WaDIQaM-FR, 3 photographs", NONE, unseen("wadiqam_fr")),
            row("wadiqam_nr-unseen", "WaDIQaM-NR, 3 photographs", NONE, unseen("wadiqam_nr")),
        ],
    },
    Entry {
        id: "synthetic-patches",
        paper: Paper::StandIn,
        place: "none",
        what: "the figure of Bosse et al. on the number of patches, on the set of synthetic-kadid10k",
        note: "WaDIQaM-FR with the bundled weights; each image is scored by patches at the same random places.",
        rows: &[
            row("1", "1 patch", NONE, synthetic_patches(1)),
            row("2", "2 patches", NONE, synthetic_patches(2)),
            row("4", "4 patches", NONE, synthetic_patches(4)),
            row("8", "8 patches", NONE, synthetic_patches(8)),
            row("16", "16 patches", NONE, synthetic_patches(16)),
            row("32", "32 patches", NONE, synthetic_patches(32)),
            row("64", "64 patches", NONE, synthetic_patches(64)),
            row("128", "128 patches", NONE, synthetic_patches(128)),
        ],
    },
];
