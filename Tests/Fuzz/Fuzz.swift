#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What libFuzzer calls with one input after the other (https://llvm.org/docs/LibFuzzer.html). The environment says which
/// reader gets them: one program has them all, for building is what takes long.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Unsafe: libFuzzer owns `count` bytes at `start` for the duration of the call, and they are copied.
    let input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    chosenTarget.run(input)
    return 0
}

private let chosenTarget: FuzzTarget = {
    let name = unsafe getenv("TOLLGATE_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        fatalError(
            "TOLLGATE_FUZZ_TARGET takes one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return target
}()

/// Ends the program when what must hold does not: libFuzzer keeps the input.
func require(_ holds: Bool, _ rule: String) {
    if !holds { fatalError("does not hold: \(rule)") }
}
