//! Generates the Kotlin and Swift bindings from a built menshen-ffi library.

fn main() {
    uniffi::uniffi_bindgen_main();
}
