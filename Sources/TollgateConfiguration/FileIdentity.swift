#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What tells one state of a file from another without reading it.
package struct FileIdentity: Sendable, Hashable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let modifiedSeconds: Int64
    private let modifiedNanoseconds: Int64

    /// Follows symbolic links, so that a link that leads elsewhere is another file. Nil when there is no file.
    package init?(path: String) {
        var status = stat()
        // The status outlives the call, and the path is copied for it.
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        #if canImport(Darwin)
        let modified = status.st_mtimespec
        #else
        let modified = status.st_mtim
        #endif
        modifiedSeconds = Int64(modified.tv_sec)
        modifiedNanoseconds = Int64(modified.tv_nsec)
    }
}

/// The YAML file that a configuration was read from, as it was then.
package struct ConfigurationFile: Sendable, Hashable {
    package let path: String

    /// Taken before it was read, so that a change in between is noticed. Nil when there was no file.
    package let identity: FileIdentity?

    /// False for a blank file too: a full disk and an editor at work both leave one.
    package let hasContents: Bool

    package init(path: String, identity: FileIdentity?, hasContents: Bool) {
        self.path = path
        self.identity = identity
        self.hasContents = hasContents
    }
}
