//! Constants that opus2 compares without a sign, as the bindings it was written for have them.

/// Gives constants of the bindings as `u32`; a negative one does not compile.
macro_rules! unsigned {
    ($($name:ident)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of `opus_defines.h`.")]
        pub const $name: u32 = {
            assert!(opusic_sys::$name >= 0, "it has a sign");
            opusic_sys::$name.unsigned_abs()
        };
    )*};
}

unsigned! {
    OPUS_APPLICATION_VOIP OPUS_APPLICATION_AUDIO OPUS_APPLICATION_RESTRICTED_LOWDELAY
    OPUS_BANDWIDTH_NARROWBAND OPUS_BANDWIDTH_MEDIUMBAND OPUS_BANDWIDTH_WIDEBAND OPUS_BANDWIDTH_SUPERWIDEBAND
    OPUS_BANDWIDTH_FULLBAND
    OPUS_SIGNAL_VOICE OPUS_SIGNAL_MUSIC
    OPUS_FRAMESIZE_ARG OPUS_FRAMESIZE_2_5_MS OPUS_FRAMESIZE_5_MS OPUS_FRAMESIZE_10_MS OPUS_FRAMESIZE_20_MS
    OPUS_FRAMESIZE_40_MS OPUS_FRAMESIZE_60_MS OPUS_FRAMESIZE_80_MS OPUS_FRAMESIZE_100_MS OPUS_FRAMESIZE_120_MS
}
