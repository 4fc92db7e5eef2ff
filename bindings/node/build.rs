//! Tells the linker that Node brings the Node-API symbols, and to keep the library loaded while its threads live.

fn main() {
    napi_build::setup();
}
