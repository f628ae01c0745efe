import{D as e,E as t,M as n,P as r,U as i,_ as a,g as o,ht as s,pt as c,st as l,z as u}from"./session-booking.js";var d={duration:`Duration`,anyCoach:`Any coach`,payment:`Payment`,credit:(e,t)=>`${e}: ${t}`,bundle:`Bundle`,byCredits:{one:`Paid with a session of your bundle`,other:`Paid with {n} sessions of your bundle`},lateCredit:`A late cancellation uses up the session of your bundle.`,noPayment:`This course has nothing on sale for this duration.`,credits:{one:`{n} session left`,other:`{n} sessions left`}},f={duration:`Dauer`,anyCoach:`Alle Coaches`,payment:`Bezahlung`,credit:(e,t)=>`${e}: ${t}`,bundle:`Paket`,byCredits:{one:`Mit einer Sitzung Ihres Pakets bezahlt`,other:`Mit {n} Sitzungen Ihres Pakets bezahlt`},lateCredit:`Bei später Stornierung ist die Sitzung Ihres Pakets verbraucht.`,noPayment:`Für diese Dauer gibt es in diesem Kurs kein Angebot.`,credits:{one:`noch {n} Sitzung`,other:`noch {n} Sitzungen`}};function p(e){return i(`course`,{en:d,de:f},e)}async function m(e,t,n){let r={open:!0,signal:n},{mentorId:i}=t,s=t.courseId??``,[{course:c,products:l},u,d]=await Promise.all([e.get(`/courses/${s}/support-options`,{},r),o(e,`/mentors`,{courseId:s},r),o(e,`/listings`,{courseId:s},r)]),f=u.map(e=>a(e,d)).filter(({mentor:e})=>!i||e.id===i);return{course:c,products:l.filter(e=>e.active),offers:f}}function h(e){let t=e.flatMap(e=>e.listings.map(e=>e.durationMinutes));return[...new Set(t)].sort((e,t)=>e-t)}async function g({client:e,store:t},n,r){let i=(await o(e,`/bundles`,{},{signal:r}).catch(()=>[])).filter(({courseId:e,status:n})=>e===t.state.course?.id&&n===`active`);t.update({bundles:i});let a=_(t.state),s=n??l(t.state.payment);t.update({payment:a.find(e=>l(e)===s)??a[0]??null})}function _(e){let t=t=>t===null||t===e.durationMinutes,n=e.bundles.filter(n=>{let r=e.products.find(e=>e.id===n.productId);return!r||t(r.durationMinutes)}),r=e.products.filter(e=>e.kind===`single`&&t(e.durationMinutes));return[...n.map(e=>({kind:`bundle`,bundle:e})),...r.map(e=>({kind:`product`,product:e}))]}function v({course:e,payment:t}){let n=t?.kind===`bundle`?{bundlePurchaseId:t.bundle.id}:{productId:t?.product.id};return{courseId:e?.id,...n}}function y(e,n){return t(e,n,p(e).byCredits)}function b(t){let{words:n,state:r,flow:i}=t,a=p(t),o=h(r.offers);return s`<div class="columns" ?hidden=${r.slot!==null}>
    ${o.length>1?s`<label class="field"
          ><span>${a.duration}</span>
          <select data-value=${r.durationMinutes} @change=${e=>i.chooseDuration(Number(u(e)))}>
            ${o.map(n=>s`<option value=${n}>
                  ${e(t,n)}
                </option>`)}
          </select></label
        >`:c}
    ${r.offers.length>1?s`<label class="field"
          ><span>${n.card.coach}</span>
          <select data-value=${r.mentorId??``} @change=${e=>i.chooseMentor(u(e)||null)}>
            <option value="">${a.anyCoach}</option>
            ${r.offers.map(({mentor:e})=>s`<option value=${e.id}>${e.name}</option>`)}
          </select></label
        >`:c}
  </div>`}function x(e){return s`${S(e)} ${C(e)}`}function S({words:e,state:t,flow:n}){let r=t.offers.filter(({mentor:e})=>t.slot?.mentorProfileIds.includes(e.id));return r.length<2?c:s`<label class="field"
    ><span>${e.card.coach}</span>
    <select data-value=${t.slotMentorId} @change=${e=>n.chooseSlotMentor(u(e))}>
      ${r.map(({mentor:e})=>s`<option value=${e.id}>${e.name}</option>`)}
    </select></label
  >`}function C(e){let{state:t,flow:r}=e,i=p(e),a=_(t);return a.length?a.length===1?c:s`<fieldset class="offers">
    <legend>${i.payment}</legend>
    ${a.map(n=>s`<label class="offer"
        ><input
          type="radio"
          name="payment"
          .checked=${l(n)===l(t.payment)}
          @change=${()=>r.choosePayment(n)}
        />
        ${w(e,n)}</label
      >`)}
  </fieldset>`:n(`warning`,i.noPayment)}function w(e,n){let{state:i}=e,a=p(e);if(n.kind===`product`)return s`<span><b>${n.product.title}</b></span><b class="price">${r(e,n.product.price)}</b>`;let{productId:o,remainingSessions:c}=n.bundle,l=i.products.find(e=>e.id===o)?.title??a.bundle;return s`<span>${a.credit(l,t(e,c,a.credits))}</span>`}export{p as courseWords,y as creditsText,h as durationsOf,m as loadCourse,v as paymentOf,g as proposePayment,b as renderChoice,x as renderFields};