/** What a server says of itself, as the editor uses it. */

import type { ServerInfo } from "./backend";
import type { GetServerInfoResponse } from "./gen/layoutbrush/v1/info_pb";

export function serverInfo({ serverVersion, bundle, limits, capabilities, draftLabels }: GetServerInfoResponse): ServerInfo {
  return {
    version: serverVersion,
    bundle: `${bundle?.name ?? ""} ${bundle?.version ?? ""}`.trim(),
    labels: (bundle?.labels ?? []).map(({ id, name, color }) => ({
      id,
      name,
      color: [color?.red ?? 0, color?.green ?? 0, color?.blue ?? 0] as const,
    })),
    maxSide: limits?.maxSide ?? 0,
    maxLayerPixels: Number(limits?.maxLayerPixels ?? 0n),
    minSide: limits?.minSide ?? 0,
    segmentation: capabilities?.segmentation ?? false,
    references: capabilities?.references ?? false,
    drafts: capabilities?.drafts ?? false,
    draftLabels,
    finding: capabilities?.foundReferences ?? false,
  };
}
