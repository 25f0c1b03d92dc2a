import Synchronization
import TollgateCore
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The wall clock of one program that runs with the ``ClockShim``: that of this machine and an offset, which the program
/// reads from a file whenever it asks for the time. Set it while the program runs.
///
/// Safe because the word behind the pointer is ours until the end, and is used under the lock here. The program reads it
/// without one: a word is stored whole.
@safe final class ProgramClock: TimeSource {
    let path: String
    private let word: Mutex<UnsafeMutablePointer<Int64>>

    /// Makes the file.
    init(path: String) throws {
        self.path = path
        try Data(count: MemoryLayout<Int64>.size).write(to: URL(filePath: path))
        let file = unsafe open(path, O_RDWR | O_CLOEXEC)
        defer { close(file) }
        // SAFETY: a new mapping, without another owner, as long as the word.
        let page = unsafe mmap(nil, MemoryLayout<Int64>.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        guard let page = unsafe page, Int(bitPattern: page) != -1 else {
            throw ClockShim.Failure(description: "\(path) cannot be mapped")
        }
        unsafe word = Mutex(page.bindMemory(to: Int64.self, capacity: 1))
    }

    deinit {
        // SAFETY: no other code has the pointer any more.
        unsafe word.withLock { word in _ = unsafe munmap(word, MemoryLayout<Int64>.size) }
    }

    /// What the program adds to the time of this machine.
    private var offsetMilliseconds: Int64 {
        get { unsafe word.withLock { word in unsafe word.pointee } }
        set { unsafe word.withLock { word in unsafe word.pointee = newValue } }
    }

    /// What the program reads.
    func now() -> UnixTime { UnixTime(milliseconds: SystemClock().now().milliseconds + offsetMilliseconds) }

    func set(to time: UnixTime) { offsetMilliseconds = time.milliseconds - SystemClock().now().milliseconds }

    /// Sets it so far ahead of `other`, as that is now.
    func set(aheadSeconds: Int64, of other: ProgramClock) {
        offsetMilliseconds = other.offsetMilliseconds + aheadSeconds * 1000
    }

    func step(bySeconds seconds: Int64) { offsetMilliseconds += seconds * 1000 }
}
