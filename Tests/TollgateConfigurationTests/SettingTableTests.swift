import Testing
import TollgateConfiguration

@Suite struct SettingTableTests {
    @Test func markdownHasARowForEachSetting() {
        let rows = Setting.markdownTable().split(separator: "\n")
        #expect(rows.count == Setting.all.count + 2)
        for (setting, row) in zip(Setting.all, rows.dropFirst(2)) {
            #expect(row.hasPrefix("| `\(setting.name)` |"))
            #expect(row.split(separator: "|").count == 5, "\(row)")
        }
    }

    @Test func rowsSayWhatMayStandThere() {
        let rows = Setting.markdownTable().split(separator: "\n")
        #expect(
            rows.contains(
                "| `TOLLGATE_PORT` | `port` | `8080` | 0 to 65535 | The public port; 0 takes any free one. |"))
        #expect(rows.contains { $0.hasPrefix("| `CLERK_SECRET_KEY` | `clerk.secretKey` | – | text, secret |") })
        #expect(rows.contains { $0.hasPrefix("| `TOLLGATE_CONFIG` | – | ./tollgate.yaml if it exists | path |") })
    }
}
