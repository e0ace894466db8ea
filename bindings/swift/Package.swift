// swift-tools-version:6.0
// The Swift package: hand-written API over generated bindings over the menshen_ffi library.
// Linux and local development link the library that `cargo xtask test swift` builds (-Xlinker -L…).
import PackageDescription

let package = Package(
    name: "Menshen",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [
        .library(name: "Menshen", targets: ["Menshen"])
    ],
    targets: [
        .systemLibrary(name: "MenshenFFI", path: "Sources/MenshenFFI"),
        .target(
            name: "MenshenInternal",
            dependencies: ["MenshenFFI"],
            // Generated code; the compiler aborts on it in Swift 6 mode.
            swiftSettings: [.swiftLanguageMode(.v5)],
            linkerSettings: [.linkedLibrary("menshen_ffi")]
        ),
        .target(name: "Menshen", dependencies: ["MenshenInternal"]),
        .testTarget(name: "MenshenTests", dependencies: ["Menshen"]),
    ]
)
