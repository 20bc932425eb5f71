import type { OpenAPIObject } from '@nestjs/swagger';
import { PRODUCT_VERSION } from '../../../common/product.js';
import type { Face } from '../../shared/face.js';

/** Every face, where it is, and where more is said of it. */
export function indexPage(
  faces: readonly Face[],
  documents: ReadonlyMap<string, OpenAPIObject>,
  addressOf: (name: string) => string,
): string {
  const rows = faces.map((face) => {
    const operations = Object.values(documents.get(face.name)?.paths ?? {}).flatMap((path) => Object.keys(path)).length;
    return `   <tr>
    <td><a href="/docs/browse?urls.primaryName=${encodeURIComponent(face.title)}">${face.title}</a></td>
    <td><code>${face.mounts.join('</code>, <code>')}</code></td>
    <td>${operations}</td>
    <td><a href="${addressOf(face.name)}">OpenAPI</a></td>
   </tr>`;
  });
  return `<!DOCTYPE html>
<html lang="en">
 <head>
  <meta charset="utf-8">
  <title>Kiln</title>
  <style>body { font-family: sans-serif; margin: 2rem } td, th { padding: .3rem 1rem .3rem 0; text-align: left }</style>
 </head>
 <body>
  <h1>Kiln ${PRODUCT_VERSION}</h1>
  <table>
   <tr><th>API</th><th>at</th><th>operations</th><th>document</th></tr>
${rows.join('\n')}
  </table>
 </body>
</html>
`;
}
